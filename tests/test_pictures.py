"""Letters of pictures that the server draws."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from botfactory.pictures.lettering import Letters, drawable, fitted


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
