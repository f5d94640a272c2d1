"""Find repeated posts, exact or near, in linear time and memory.

Near means one of two things. The letters of a text are its letters, without links, mentions, digits, punctuation and
case: two texts of some length with the same letters are the same. Two long ones are nearly the same when their letters
share at least `SIMILAR` of all runs of five that are in either (the Jaccard index). Candidates for that come from
MinHash signatures in bands (Broder 1997; Leskovec et al., Mining of Massive Datasets, chapter 3), and each is counted
out before a post is dropped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tweets.cleaning.rules import Duplicates
from tweets.cleaning.text import without_links

SIMILAR = 0.85
SAME_LETTERS = 20  # letters; "day 1" and "day 2" are two posts
LONG = 60
_RUN = 5
BANDS, _ROWS = 5, 5  # a pair of 0.85 is found with a chance of 95 %, of 0.9 with 99 %, of 0.5 with 15 %
_HASHES = BANDS * _ROWS
_CLOSE = 0.68  # of a signature must match before two texts are compared letter by letter
_NOT_LETTERS = re.compile(r"[\W\d_]+")
_MENTION = re.compile(r"[@＠]\w+(?:@[\w.-]+)?")
_SEED = 20_180_601

Signatures = npt.NDArray[np.uint32]  # (texts, _HASHES)


class Seen:
    """The texts that were kept so far. Only their order matters, not the size of the portions."""

    def __init__(self, rule: Duplicates) -> None:
        self._rule = rule
        self._prints: set[bytes] = set()
        self._long: list[str] = []
        self._signatures: list[bytes] = []
        self._bands: dict[int, int] = {}  # band of a signature -> the first long text with it

    def prepared(self, texts: Sequence[str | None]) -> list[_Looks]:
        """Return what `is_new` needs of each text; None for a text that isn't checked. Many at a time are faster."""
        looks = [_looks(text, self._rule) for text in texts]
        long = [look for look in looks if look.is_long]
        if long:
            signatures = signatures_of([look.letters for look in long])
            for look, signature, bands in zip(long, signatures, bands_of(signatures).tolist(), strict=True):
                look.signature, look.bands = signature.tobytes(), bands
        return looks

    def is_new(self, look: _Looks) -> bool:
        """Return whether the text is new, and remember it."""
        if self._rule is Duplicates.KEEP:
            return True
        if not self._prints.isdisjoint(look.prints):
            return False
        if look.signature:
            if self._has_near(look):
                return False
            number = len(self._long)
            self._long.append(look.letters)
            self._signatures.append(look.signature)
            for band in look.bands:
                self._bands.setdefault(band, number)
        self._prints.update(look.prints)
        return True

    def _has_near(self, look: _Looks) -> bool:
        for number in {number for band in look.bands if (number := self._bands.get(band)) is not None}:
            other = self._long[number]
            # Similar texts have similar lengths, and comparing signatures is faster than comparing letters.
            short, long = sorted((len(look.letters), len(other)))
            if short < SIMILAR * long or _agreement(self._signatures[number], look.signature) < _CLOSE:
                continue
            if similarity(other, look.letters) >= SIMILAR:
                return True
        return False


class _Looks:
    """A text as it is compared: by fingerprints and, if it is long, by a signature."""

    __slots__ = ("bands", "is_long", "letters", "prints", "signature")

    def __init__(self, prints: tuple[bytes, ...], letters: str, is_long: bool) -> None:
        self.prints = prints
        self.letters = letters
        self.is_long = is_long
        self.signature = b""
        self.bands: list[int] = []


_NONE = _Looks((), "", False)


def _looks(text: str | None, rule: Duplicates) -> _Looks:
    if text is None or rule is Duplicates.KEEP:
        return _NONE
    plain = " ".join(without_links(text).casefold().split())
    exact = _print(plain)
    if rule is Duplicates.SAME:
        return _Looks((exact,), "", False)
    letters = _letters(plain)
    if len(letters) < SAME_LETTERS:
        return _Looks((exact,), letters, False)
    return _Looks((exact, _print(letters)), letters, len(letters) >= LONG)


def letters_of(text: str) -> str:
    """Return the words of a text in lower case: no links, mentions, digits, punctuation or emoji."""
    return _letters(without_links(text).casefold())


def _letters(text: str) -> str:
    if "@" in text or "＠" in text:
        text = _MENTION.sub(" ", text)
    return _NOT_LETTERS.sub(" ", text).strip()


def similarity(one: str, other: str) -> float:
    """Return the share of all runs of five characters in either text that are in both."""
    runs, others = ({text[i : i + _RUN] for i in range(len(text) - _RUN + 1)} for text in (one, other))
    return len(runs & others) / max(1, len(runs | others))


def _print(text: str) -> bytes:
    """Return 8 bytes, with a chance of 3e-8 for a collision among a million texts."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()


_MULTIPLIERS = np.random.default_rng(_SEED).integers(1, 1 << 32, _HASHES, np.uint64).astype(np.uint32) | np.uint32(1)


def signatures_of(texts: Sequence[str]) -> Signatures:
    """Return, for each text, the minimum of each of `_HASHES` hash functions over the text's runs of characters."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    letters = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)  # (all characters,)
    hashes = np.zeros(len(letters) - _RUN + 1, np.uint32)
    for place in range(_RUN):
        hashes *= np.uint32(0x01000193)
        hashes ^= letters[place : place + len(hashes)]
    hashes ^= hashes >> np.uint32(15)
    hashes *= np.uint32(0x2C1B3C6D)
    hashes ^= hashes >> np.uint32(13)
    # Leave out runs that begin in one text and end in the next.
    ends = np.cumsum(lengths)
    starts = ends - lengths
    inside = np.ones(len(letters), bool)
    for back in range(1, _RUN):
        inside[ends - back] = False
    hashes = hashes[inside[: len(hashes)]]
    firsts = starts - np.arange(len(texts)) * (_RUN - 1)
    signatures = np.empty((len(texts), _HASHES), np.uint32)
    for number, multiplier in enumerate(_MULTIPLIERS):
        mixed = hashes * multiplier
        mixed ^= mixed >> np.uint32(16)
        signatures[:, number] = np.minimum.reduceat(mixed, firsts)
    return signatures


def bands_of(signatures: Signatures) -> npt.NDArray[np.uint64]:
    """Return a number for each band of each signature: (texts, BANDS)."""
    keys = np.tile(np.arange(BANDS, dtype=np.uint64), (len(signatures), 1))  # (texts, BANDS)
    for row in signatures.reshape(len(signatures), BANDS, _ROWS).transpose(2, 0, 1):
        keys = (keys ^ row) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def _agreement(one: bytes, other: bytes) -> float:
    same = np.frombuffer(one, np.uint32) == np.frombuffer(other, np.uint32)
    return int(np.count_nonzero(same)) / _HASHES
