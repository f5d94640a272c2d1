"""Shapes and letters of pictures that the server draws."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from botfactory import avatars
from botfactory.pictures import shapes
from botfactory.pictures.lettering import Letters, drawable, fitted


def share(inside: str) -> float:
    """Return how much of the square is covered."""
    alpha = shapes.drawing(inside, 128).getchannel("A")
    return sum(level * count for level, count in enumerate(alpha.histogram())) / (255 * 128 * 128)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('<path fill="#fff" d="M0 0h64v64H0z"/>', 1.0),
        ('<path fill="#fff" d="M0 0 32 0V64L0 64z"/>', 0.5),
        ('<circle cx="32" cy="32" r="16" fill="hsl(10 50% 50%)"/>', 3.1416 * 16**2 / 64**2),
        ('<path fill="#fff" d="M16 32a16 16 0 0 1 32 0a16 16 0 0 1-32 0z"/>', 3.1416 * 16**2 / 64**2),
        ('<rect x="16" y="16" width="32" height="32" rx="16" fill="#123456"/>', 3.1416 * 16**2 / 64**2),
        ('<rect x="16" y="16" width="32" height="32" fill="#fff"/>', 0.25),
        # A parabola below its chord: two thirds of the width times half of the height of its control point.
        ('<path fill="#fff" d="M0 0q32 64 64 0z"/>', 2 / 3 * 0.5),
        ('<path fill="#fff" d="M0 32q16-32 32 0t32 0v32H0z"/>', 0.5),
        ('<g fill="none" stroke="#000" stroke-width="8"><path d="M8 32H56"/></g>', (48 * 8 + 3.1416 * 16) / 64**2),
        ('<path fill="none" d="M0 0h64v64H0z"/>', 0.0),
    ],
)
def test_shapes_have_their_size(inside: str, expected: float) -> None:
    assert share(inside) == pytest.approx(expected, abs=0.012)


def test_every_part_of_every_face_is_drawn() -> None:
    parts = [*avatars.HEADS, *avatars.AERIALS, *avatars.EYES, *avatars.MOUTHS]
    shares = {part: share(f'<g fill="#000" stroke="#000" stroke-width="2">{part}</g>') for part in parts}
    assert len(shares) == 21 and min(shares.values()) > 0.001, shares


def test_a_face_has_the_colours_of_the_page() -> None:
    face = shapes.drawing(avatars.face("Crier"), 128).convert("RGB")
    assert face.getpixel((1, 1)) == face.getpixel((126, 126)) and len(face.getcolors(100_000) or ()) > 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tea, at 4 – “hot” …", "Tea, at 4 – “hot” …"),
        ("cafe\u0301  ❤️\n👩🏽‍🚀 ok", "café ok"),
        ("Łódź Привет Nguyễn", "Łódź Привет Nguyễn"),
        ("שלום Bot 漢字", "Bot"),
        ("a\u202eb\u200dc\u0000\ud800", "abc"),
        ("🎉", ""),
    ],
)
def test_what_the_typeface_lacks_is_left_out(text: str, expected: str) -> None:
    assert drawable(text) == expected


def test_lines_fit_and_lose_nothing_but_what_dots_stand_for() -> None:
    letters, text = Letters(40, 420), f"some words and {'x' * 90} and the end"
    lines = letters.wrapped(text, 300)
    assert "".join("".join(lines).split()) == "".join(text.split()) and len(lines) > 5
    assert all(letters.length(line) <= 300 for line in lines)
    small, few = fitted(text, sizes=(40, 30), weight=420, width=300, lines=3)
    assert small.size == 30 and len(few) == 3 and few[-1].endswith("…")
    assert all(small.length(line) <= 300 for line in few)
    assert fitted("short", sizes=(40, 30), weight=420, width=300, lines=1) == (letters, ["short"])


def test_letters_stand_on_their_line() -> None:
    image = Image.new("L", (300, 100))
    Letters(40, 600).write(ImageDraw.Draw(image), (10, 60), "HŁД", "#fff")
    box = image.getbbox()
    assert box is not None and 10 <= box[0] <= 16 and 58 <= box[3] <= 70 and box[2] > 80
