"""Write text into pictures in the typeface of the pages. Signs that it doesn't have are left out, not boxes."""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import Final

from PIL import ImageDraw, ImageFont

from botfactory.edge import files

#: The parts of the typeface, by script. A sign is taken from the first that has it.
_PARTS: Final = ("latin", "latin-ext", "cyrillic", "cyrillic-ext", "vietnamese")
#: No typeface has this sign, so its shape is that of missing ones.
_NOWHERE: Final = "\uffff"
_ELLIPSIS: Final = "…"

#: Hold it to write or measure: threads of a process share its typefaces, and FreeType's can't be used at once.
FONTS: Final = threading.RLock()

Colour = str | tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Letters:
    """The typeface in a size, in pixels, and a weight from 100 to 900."""

    size: int
    weight: int

    def length(self, text: str) -> float:
        return sum(_font(part, self.size, self.weight).getlength(run) for part, run in _runs(text))

    def write(self, draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, colour: Colour) -> None:
        """Write a line of drawable text, with its baseline and its left end at `place`."""
        x, y = place
        for part, run in _runs(text):
            font = _font(part, self.size, self.weight)
            draw.text((x, y), run, font=font, fill=colour, anchor="ls")
            x += font.getlength(run)

    def wrapped(self, text: str, width: float) -> list[str]:
        """Return lines of the text that are at most so wide. Words that are wider are broken."""
        lines: list[str] = []
        line = ""
        for word in text.split():
            longer = f"{line} {word}" if line else word
            if self.length(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            line = word
            while self.length(line) > width and len(line) > 1:
                fits = self._fitting(line, width)
                lines.append(line[:fits])
                line = line[fits:]
        return [*lines, line] if line else lines

    def shortened(self, text: str, width: float) -> str:
        """Return the text, with dots in place of its end if it's wider."""
        if self.length(text) <= width:
            return text
        fits = self._fitting(text, width - self.length(_ELLIPSIS))
        return text[:fits].rstrip(" ,.;:") + _ELLIPSIS

    def _fitting(self, text: str, width: float) -> int:
        """Return how many characters of the text fit, at least one."""
        low, high = 1, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.length(text[:middle]) <= width else (low, middle - 1)
        return low


def drawable(text: str) -> str:
    """Return what the typeface can show of the text, on one line."""
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    return " ".join("".join(sign for sign in text if sign == " " or _part_of(sign) is not None).split())


def letters_of(text: str) -> int:
    """Return the number of letters and digits."""
    return sum(sign.isalnum() for sign in text)


def fitted(text: str, *, sizes: tuple[int, ...], weight: int, width: float, lines: int) -> tuple[Letters, list[str]]:
    """Return the first of the sizes in which the text needs at most so many lines; in the last one, cut it there."""
    for size in sizes:
        letters = Letters(size, weight)
        found = letters.wrapped(text, width)
        if len(found) <= lines:
            return letters, found
    last = letters.shortened(f"{found[lines - 1]} {found[lines]}", width)
    return letters, [*found[: lines - 1], last]


def _runs(text: str) -> list[tuple[str, str]]:
    """Return the parts of drawable text that are in one part of the typeface, each with its name."""
    return [(part, "".join(run)) for part, run in groupby(text, key=lambda sign: _part_of(sign) or _PARTS[0])]


@lru_cache(maxsize=4096)
def _part_of(sign: str) -> str | None:
    """Return the part of the typeface that has the sign, or None."""
    if unicodedata.category(sign) in {"Cc", "Cf", "Co", "Cn", "Cs"}:
        return None
    with FONTS:
        for part in _PARTS:
            font = _font(part, 40, 400)
            shape = _shape(font, sign)
            if sign.isspace() or (all(shape[0]) and shape != _shape(font, _NOWHERE)):
                return part
    return None


def _shape(font: ImageFont.FreeTypeFont, sign: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(sign)
    return mask.size, bytes(mask)


@cache
def _font(part: str, size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(files.paths()[f"vendor/geist/geist-{part}-wght-normal.woff2"], size)
    font.set_variation_by_axes([weight])
    return font
