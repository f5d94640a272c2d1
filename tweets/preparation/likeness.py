"""By what posts are compared: the letters of each, its key, and the bands of its MinHash signature, many at a time.

The rule is that of `tweets.cleaning.duplicates`: two posts with the same letters are the same, or, if they have few,
with the same text apart from case and spaces. So posts with the same key are duplicates of each other. Two long posts
are nearly the same if they share enough runs of letters; those have at least one band in common, very likely.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tweets.cleaning.duplicates import BANDS, LONG, SAME_LETTERS, bands_of, signatures_of
from tweets.cleaning.text import PLACEHOLDER, may_hold_link, without_links
from tweets.preparation.characters import LETTER, MARK, Block, table

Keys = NDArray[np.uint64]

_MENTION: Final = re.compile(r"[@＠]\w+(?:@[\w.-]+)?")
#: Texts whose signatures are computed together. Their arrays fit into the processor's cache.
_TOGETHER: Final = 256
_BLOCK: Final = 2_000
_SPACE: Final = ord(" ")


@dataclass(frozen=True, slots=True)
class Looks:
    """Texts as they are compared: `plain` without case and links, and their `letters` ("" if nobody asked)."""

    plain: list[str]
    letters: list[str]


def looks_of(texts: Sequence[str], *, letters: bool = True) -> Looks:
    """Return how the texts look. Letters are those of `cleaning.duplicates.letters_of`."""
    looks = Looks(list(texts), [""] * len(texts))
    for is_ascii in (True, False):
        places = [place for place, text in enumerate(texts) if text.isascii() is is_ascii]
        for start in range(0, len(places), _BLOCK):
            some = places[start : start + _BLOCK]
            folded = _folded([texts[place] for place in some])
            for place, plain in zip(some, folded.split(MARK), strict=True):
                looks.plain[place] = plain
            if letters:
                for place, found in zip(some, _letters(folded), strict=True):
                    looks.letters[place] = found
    return looks


def _folded(texts: Sequence[str]) -> str:
    joined = MARK.join(texts)
    folded = joined.casefold()
    if PLACEHOLDER in joined or may_hold_link(folded):
        folded = without_links(joined).casefold()
    return folded


def _letters(folded: str) -> list[str]:
    folded = _without_mentions(folded)
    if folded.isascii():
        spaced = np.frombuffer(f"{MARK}{folded}{MARK}".encode("ascii").translate(_spaced_letters()), np.uint8)
        # Keep one space after each run of letters.
        kept = spaced != _SPACE
        kept[1:] |= spaced[:-1] > _SPACE
        return _split(spaced[kept].tobytes().decode("ascii"))
    block = Block(folded.split(MARK))
    is_mark = block.codes == 0
    is_letter = block.bits & LETTER > 0
    is_either = is_letter | is_mark
    # Keep one space after each run of letters.
    kept = is_either.copy()
    kept[1:] |= is_letter[:-1]
    spaced = np.where(is_either, block.codes, block.codes.dtype.type(_SPACE))[kept].tobytes()
    text: str = spaced.decode("ascii" if block.codes.itemsize == 1 else "utf-32-le", "surrogatepass")
    return _split(text)


def _split(text: str) -> list[str]:
    return text[1:-1].replace(" " + MARK, MARK).rstrip(" ").split(MARK)


def _without_mentions(text: str) -> str:
    """Return what `_MENTION.sub(" ", text)` returns. Only an @ can begin a mention, and finding one is faster."""
    if "＠" in text:
        return _MENTION.sub(" ", text)
    parts = []
    done, at = 0, text.find("@")
    while at >= 0:
        mention = _MENTION.match(text, at)
        if mention:
            parts.append(text[done:at])
            done = mention.end()
        at = text.find("@", max(done, at + 1))
    return " ".join([*parts, text[done:]])


@cache
def _spaced_letters() -> bytes:
    """Return for each ASCII character the letter that it is, the mark, or a space."""
    return bytes(code if code == 0 or table()[code] & LETTER else _SPACE for code in range(256))


def keys_of(looks: Looks, seed: int) -> Keys:
    """Return 8 bytes for each text. They depend on the seed, so that the order by them does.

    Among a million different texts, two have the same with a chance of 1 in 37 million.
    """
    start = blake2b(seed.to_bytes(8, "little"), digest_size=8)
    hashes = []
    for plain, letters in zip(looks.plain, looks.letters, strict=True):
        made = start.copy()
        # The space in front tells a text from letters.
        text = letters if len(letters) >= SAME_LETTERS else " " + " ".join(plain.split())
        made.update(text.encode("utf-8", "replace"))
        hashes.append(made.digest())
    return np.frombuffer(b"".join(hashes), "<u8")


def bands_of_long(letters: Sequence[str]) -> Keys:
    """Return the bands of each text (texts, BANDS), zeros for those that are too short to be nearly the same."""
    bands = np.zeros((len(letters), BANDS), "<u8")
    long = [number for number, text in enumerate(letters) if len(text) >= LONG]
    for start in range(0, len(long), _TOGETHER):
        some = long[start : start + _TOGETHER]
        bands[some] = bands_of(signatures_of([letters[number] for number in some]))
    return bands


class Authors:
    """Hash authors for the split. Their names come again and again, so the newest are remembered."""

    _MOST: Final = 100_000

    def __init__(self, seed: int) -> None:
        self._start = blake2b(seed.to_bytes(8, "little"), digest_size=8, person=b"author")
        self._known: dict[str, int] = {}

    def hashes(self, names: Iterable[str]) -> list[int]:
        """Return 8 bytes for each name, 0 for an unknown one. Case and a leading @ don't count."""
        if len(self._known) > self._MOST:
            self._known.clear()
        found = self._known.get
        return [found(name) or self._hash(name) for name in names]

    def _hash(self, name: str) -> int:
        plain = name.strip().removeprefix("@").casefold()
        made = self._start.copy()
        made.update(plain.encode("utf-8", "replace"))
        found = self._known[name] = (int.from_bytes(made.digest(), "little") or 1) if plain else 0
        return found
