"""Find the posts that need a closer look, many at a time.

Cleaning, the search for personal data and the other rules take some 20 µs a post in Python, and for most posts they do
nothing. A screen here is true for every post for which a rule could do something, and for some more. The rules
themselves then see only those.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tweets.preparation.characters import DIGIT, KEYLIKE, LETTER, MARKED, WILD, WORD, Block

Flags = NDArray[np.bool_]  # (posts,)

_AT, _SPACE, _COLON, _EQUALS, _DOT = map(ord, "@ :=.")
_VIA: Final = (ord("a"), ord("A"))
#: The shortest token of a service has 15 characters.
_SHORTEST_TOKEN: Final = 15
#: A number of at least 7 digits, at most 3 other characters between two.
_DIGITS, _GAP = 7, 3
_IP_DIGITS, _IP_DOTS = 4, 3
#: How posts of apps may begin (tweets.cleaning.auto_posts), and what they may contain.
_APP: Final = re.compile(
    r"\W*(?:i\b|just |my |how |today|\d|one |check out|live from|#?now ?pl|photo|posted a|http|drinking|wordle|nerdle"
    r"|worldle|heardle|framed|daily|the latest )",
    re.IGNORECASE,
)
_APP_SIGNS: Final = re.compile("[♫♬]")
_APP_WORDS: Final = (
    b" is out!",
    b"via swarm",
    b"via foursquare",
    b"via nike",
    b"via runkeeper",
    b"via fitbit",
    b"via strava",
    b"via unfollowspy",
    b"#runkeeper",
    b"#nikeplus",
    b"#endomondo",
    b"#gameinsight",
    b"#ps4",
    b"#ps5",
    b"#xboxshare",
    b"#nintendoswitch",
)
#: What spelled-out email addresses contain (tweets.cleaning.personal.emails), and private keys.
_PERSONAL_WORDS: Final = (
    b"dot",
    b" . ",
    b"mail",
    b"yahoo.",
    b"outlook.",
    b"icloud.",
    b"[at]",
    b"(at)",
    b"private key",
)


def may_change(block: Block) -> Flags:
    """Return which posts `clean_text` may change, or drop for what their source wrote."""
    found = block.any_bits() & (WILD | MARKED) > 0
    codes = block.codes
    blank = (codes == _SPACE) | (codes == 0)
    found[block.posts_at(np.flatnonzero(blank[1:] & blank[:-1]) + 1)] = True
    at = np.flatnonzero(codes == _AT)
    if at.size:
        # "RT @name" in the middle, or "via @name" at the end. The mark in front of each post is no letter.
        before = [codes[np.maximum(at - back, 0)] for back in (1, 2, 3)]
        quotes = np.logical_or.reduce([code == ord("T") for code in before])
        found[block.posts_at(at[quotes | np.isin(before[1], _VIA)])] = True
    return found


def may_lack_something(block: Block) -> Flags:
    """Return which posts may have been cut off, or damaged by a wrong encoding. Needs the posts as they came."""
    found = np.zeros(len(block.starts), bool)
    signs = (block.codes == ord("…")) | (block.codes == 0xFFFD)
    found[block.posts_at(np.flatnonzero(signs))] = True
    return found


def may_be_of_an_app(block: Block, texts: list[str]) -> Flags:
    """Return which posts `is_of_an_app` may be true for."""
    match = _APP.match
    found = np.fromiter((match(text) is not None for text in texts), bool, len(texts))
    _add_words(found, block, _APP_WORDS)
    if _APP_SIGNS.search(block.joined):
        found[[number for number, text in enumerate(texts) if _APP_SIGNS.search(text)]] = True
    return found


def may_be_personal(block: Block) -> Flags:
    """Return which posts may contain personal data."""
    bits, codes = block.bits, block.codes
    found = np.zeros(len(block.starts), bool)
    # Tokens and long random strings.
    breaks = np.flatnonzero(bits & KEYLIKE == 0)
    found[block.posts_at(breaks[1:][np.diff(breaks) > _SHORTEST_TOKEN])] = True
    # "password: …" with a digit in it.
    digits = np.flatnonzero(bits & DIGIT)
    has_digit = np.zeros_like(found)
    has_digit[block.posts_at(digits)] = True
    named = np.zeros_like(found)
    named[block.posts_at(np.flatnonzero((codes == _COLON) | (codes == _EQUALS)))] = True
    found |= named & has_digit
    # Numbers with enough digits near each other.
    if digits.size >= _DIGITS:
        near = np.diff(digits) <= _GAP + 1
        runs = np.lib.stride_tricks.sliding_window_view(near, _DIGITS - 1).all(axis=1)
        found[block.posts_at(digits[: runs.size][runs])] = True
    # Addresses of computers have fewer digits than that.
    dots = np.bincount(block.posts_at(np.flatnonzero(codes == _DOT)), minlength=found.size)
    found |= (dots >= _IP_DOTS) & (np.bincount(block.posts_at(digits), minlength=found.size) >= _IP_DIGITS)
    # Email addresses, plain and spelled out.
    at = np.flatnonzero((codes == _AT) | (codes == ord("＠")))
    if at.size:
        before = bits[at - 1] & (WORD | KEYLIKE) > 0
        found[block.posts_at(at[before & (bits[at + 1] & WORD > 0)])] = True
    _add_words(found, block, _PERSONAL_WORDS)
    return found


def may_say_nothing(block: Block) -> Flags:
    """Return which posts may consist of links, mentions, placeholders and signs only."""
    letters = np.flatnonzero(block.bits & LETTER)
    # A letter at the beginning of a word belongs to none of these.
    before = block.codes[letters - 1]
    found = np.ones(len(block.starts), bool)
    found[block.posts_at(letters[(before == _SPACE) | (before == 0)])] = False
    # In a link, it may.
    found[block.posts_at(np.flatnonzero((block.codes == ord("/")) | (block.codes == ord("…"))))] = True
    return found


def _add_words(found: Flags, block: Block, words: tuple[bytes, ...]) -> None:
    """Set the flags of the posts that contain one of the words, in any case."""
    lower = block.joined.encode("utf-8", "surrogatepass").lower()
    places = [at for word in words for at in _places(lower, word)]
    if places:
        marks = np.flatnonzero(np.frombuffer(lower, np.uint8) == 0)[1:]
        found[np.searchsorted(marks, places, side="right")] = True


def _places(text: bytes, word: bytes) -> list[int]:
    places = []
    at = text.find(word)
    while at >= 0:
        places.append(at)
        at = text.find(word, at + len(word))
    return places
