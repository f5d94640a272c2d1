"""The theme switch, which works without JavaScript, and the style guide."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from botfactory.accounts.models import User
from botfactory.edge.files import paths, static_file
from botfactory.web import avatars
from tests.conftest import signed_in

pytestmark = pytest.mark.django_db

HERE = "http://testserver"
COLOUR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{3,6}), (#[0-9a-f]{3,6})\)")


def test_a_page_arrives_in_the_theme_that_the_browser_chose(charlie: Client) -> None:
    assert "data-theme=" not in charlie.get("/").content.decode().partition("<head>")[0]
    answer = charlie.post("/theme", {"theme": "dark"}, headers={"Referer": f"{HERE}/accounts/login/"})
    assert answer["Location"] == f"{HERE}/accounts/login/"
    assert '<html lang="en" data-theme="dark">' in charlie.get("/").content.decode()
    charlie.post("/theme", {"theme": "system"})
    assert "data-theme=" not in charlie.get("/").content.decode().partition("<head>")[0]


def test_an_unknown_theme_is_the_systems(charlie: Client) -> None:
    charlie.post("/theme", {"theme": "pink"})
    assert "theme" not in charlie.cookies or charlie.cookies["theme"].value == ""
    charlie.cookies["theme"] = '"><script>'
    assert "data-theme=" not in charlie.get("/").content.decode().partition("<head>")[0]


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""])
def test_the_switch_leads_to_no_other_site(charlie: Client, elsewhere: str) -> None:
    answer = charlie.post("/theme", {"theme": "dark"}, headers={"Referer": elsewhere})
    assert answer["Location"] == "/"


def test_a_page_for_visitors_sets_no_cookie(charlie: Client) -> None:
    assert not charlie.get("/").cookies


def test_the_style_guide_is_for_administrators(charlie: Client, alice: User, admin: User, settings: Any) -> None:
    assert [client.get("/styleguide/").status_code for client in (charlie, signed_in(alice))] == [404, 404]
    page = signed_in(admin).get("/styleguide/").content.decode()
    for part in ("swatch accent", "card empty", "skeleton", "toast", "<dialog", "timeline", 'id="chart"'):
        assert part in page
    settings.DEBUG = True
    assert charlie.get("/styleguide/").status_code == 200


def test_text_has_enough_contrast_on_every_ground_in_both_themes() -> None:
    css = (Path(settings.BASE_DIR) / "static/css/base/tokens.css").read_text(encoding="utf-8")
    themes = [{name: values[theme] for name, *values in COLOUR.findall(css)} for theme in (0, 1)]
    pairs = [(ink, ground) for ink in ("ink", "muted") for ground in ("paper", "surface", "raised", "sunken", "hover")]
    pairs += [(ink, ground) for ink in ("accent", "danger", "warm") for ground in ("paper", "surface", "raised")]
    pairs += [("on-accent", "accent"), ("on-accent", "accent-strong"), ("accent-strong", "accent-soft")]
    pairs += [("warm", "warm-soft"), ("danger", "danger-soft"), ("ink", "warm-soft"), ("paper", "ink")]
    found = {(ink, ground): [contrast(theme[ink], theme[ground]) for theme in themes] for ink, ground in pairs}
    assert {pair: values for pair, values in found.items() if min(values) < 4.5} == {}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_page_loads_at_most_120_kb_of_scripts_and_styles() -> None:
    htmx = next(name for name in paths() if re.fullmatch(r"django_htmx/htmx.*\.min\.js", name))
    folder = Path(settings.BASE_DIR) / "templates"
    pages = [str(path.relative_to(folder)) for path in folder.rglob("*.html")]
    found = {page: {htmx, *loaded_by(page)} for page in pages if "admin/" not in page}
    sizes = {page: sum(map(size_of, names)) for page, names in found.items()}
    assert {page: size for page, size in sizes.items() if size > 120_000} == {}
    # The largest have the charts, and scripts that other scripts import.
    assert {"vendor/uplot/uPlot.iife.min.js", "css/app.css", "js/dom.js"} <= found["models_app/training.html"]
    assert sizes["models_app/training.html"] > 80_000


def loaded_by(page: str) -> set[str]:
    """Return the scripts and styles of a page: its own, those of templates that it extends or includes, and imports."""
    found: set[str] = set()
    templates, seen = [page], {page}
    while templates:
        path = Path(settings.BASE_DIR) / "templates" / templates.pop()
        # Our layout surrounds allauth's own templates.
        text = path.read_text(encoding="utf-8") if path.exists() else '{% extends "base.html" %}'
        found |= set().union(*map(with_imports, re.findall(r"""{% static ['"]([^'"]+\.(?:js|css))['"] %}""", text)))
        tags = re.findall(r"{% (?:extends|include) ([^%]+) %}", text)
        named = {name for tag in tags for name in re.findall(r"[\w/-]+\.html", tag)} - seen
        seen |= named
        templates += named
    return found


@cache
def with_imports(name: str) -> frozenset[str]:
    """Return the static file with all the modules that it imports, directly or through others."""
    if not name.startswith("js/"):
        return frozenset({name})
    text = (Path(settings.BASE_DIR) / "static" / name).read_text(encoding="utf-8")
    imported = re.findall(r'^(?:import|export) (?:[^;"]*?from )?"(\.\.?/[\w/-]+\.js)"', text, flags=re.MULTILINE)
    names = [posixpath.normpath(posixpath.join(posixpath.dirname(name), other)) for other in imported]
    return frozenset({name}).union(*map(with_imports, names))


@cache
def size_of(name: str) -> int:
    return len(static_file(name).packed or static_file(name).body)


def test_the_typeface_is_served_by_us() -> None:
    for part in ("latin", "latin-ext"):
        assert static_file(f"vendor/geist/geist-{part}-wght-normal.woff2").content_type == "font/woff2"
        assert f"geist-{part}-wght-normal." in static_file("css/app.css").body.decode()


def test_the_same_name_has_the_same_face_and_other_names_have_others() -> None:
    assert avatars.face(" Orla") == avatars.face("orla ")
    names = [f"Bot {number}" for number in range(40)]
    assert len({avatars.face(name) for name in names}) > 35
    assert "<script" not in avatars.face("<script>")
