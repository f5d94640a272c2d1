"""docs/tour.md shows every page, and its pictures are there and small."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from tests.test_access import FILES, FOR_DESIGNERS, OPEN_PAGES, OWN_PAGES, ROUTES
from tests.tour import stops, webp

DOCS = Path(settings.BASE_DIR) / "docs"
STOPS = [stop for part in stops.PARTS.values() for stop in part]
#: A picture of one pixel.
PIXEL = bytes.fromhex("524946461a000000574542505650384c0d0000002f00000010071011118888fe0700")


def test_every_page_is_a_stop_of_the_tour() -> None:
    shown = {route for route, (status, _) in {**ROUTES, **OWN_PAGES}.items() if status == 200} - FILES
    shown |= {route for route, status in OPEN_PAGES.items() if status == 200} | FOR_DESIGNERS
    ours = {stop.route for stop in STOPS if not stop.route.startswith("/admin/")}
    assert ours == shown - stops.NOT_SHOWN and shown >= stops.NOT_SHOWN


def test_the_tour_is_as_it_was_made_and_has_its_pictures() -> None:
    assert (DOCS / "tour.md").read_text(encoding="utf-8") == stops.page()
    expected = {f"{stop.name}{ending}.webp" for stop in STOPS for ending in ("", "-phone")} | {"flow.webp"}
    assert len(expected) == 2 * len(STOPS) + 1
    sizes = {path.name: path.stat().st_size for path in (DOCS / "tour").iterdir()}
    assert set(sizes) == expected
    assert sum(sizes.values()) < 4_000_000 and sizes["flow.webp"] < 1_000_000


def test_an_animation_contains_its_frames_and_their_times() -> None:
    made = webp.animated([(PIXEL, 500), (PIXEL, 1500)], width=1, height=1)
    assert int.from_bytes(made[4:8], "little") == len(made) - 8
    names = [name for name, _ in webp.chunks_of(made)]
    assert names == [b"VP8X", b"ANIM", b"ANMF", b"ANMF"]
    frames = [body for name, body in webp.chunks_of(made) if name == b"ANMF"]
    assert [int.from_bytes(frame[12:15], "little") for frame in frames] == [500, 1500]
    assert all(frame[16:] == PIXEL[12:] for frame in frames)


@pytest.mark.parametrize("part", stops.PARTS)
def test_each_stop_has_a_sentence(part: str) -> None:
    assert all(stop.text.endswith((".", "?")) and len(stop.text) < 90 for stop in stops.PARTS[part])
