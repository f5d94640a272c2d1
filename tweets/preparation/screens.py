"""Find the posts that need a closer look, many at a time.

Cleaning, the search for personal data and the other rules take some 20 µs a post in Python, and for most posts they do
nothing. A screen here is true for every post for which a rule could do something, and for some more. The rules
themselves then see only those.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tweets.cleaning.personal.emails import may_spell_one
from tweets.cleaning.personal.keys import has_token, may_name_a_key
from tweets.cleaning.text import with_links_as
from tweets.preparation.characters import DIGIT, KEYLIKE, LETTER, MARK, MARKED, WILD, WORD, Block, Places

Flags = NDArray[np.bool_]  # (posts,)

_AT, _SPACE, _COLON, _EQUALS, _DOT, _SEMICOLON, _AND, _SLASH = map(ord, "@ :=.;&/")
_CUT, _WIDE_AT, _LOST = map(ord, "…＠\ufffd")
_BREAKS: Final = tuple(map(ord, "\n\t"))
_BEFORE_SLASH: Final = tuple(map(ord, ":/oOmM"))
#: What may precede the sign of something cut off in a link: "htt…" is none, "http…" and "https:/…" are.
_BEFORE_CUT: Final = tuple(map(ord, ":/pPsS"))
#: "via " backwards from the @ on, in both cases.
_VIA: Final = ((ord(" "),), (ord("a"), ord("A")), (ord("i"), ord("I")), (ord("v"), ord("V")))
#: The shortest token of a service has 15 characters; a random string of 24 needs no well-known beginning.
_SHORTEST_TOKEN, _LONG_TOKEN = 15, 24
#: A number of at least 7 digits, at most 3 other characters between two.
_DIGITS, _GAP = 7, 3
_IP_DIGITS, _IP_DOTS = 4, 3
#: How posts of apps may begin (tweets.cleaning.auto_posts), and what they may contain.
_APP: Final = re.compile(
    r"\W*(?:i\b|just |my |how |today|\d|one |check out|live from|#?now ?pl|photo|posted a|http|drinking|wordle|nerdle"
    r"|worldle|heardle|framed|daily|the latest )",
    re.IGNORECASE,
)
#: The same without the rest of each, in lower case, as far as it's the same in all of them.
_APP_BEGIN: Final = 6
_APP_BEGINNINGS: Final = tuple(
    begin.encode()[:_APP_BEGIN]
    for begin in (
        "just ",
        "my ",
        "how ",
        "today",
        "one ",
        "check out",
        "live from",
        "now pl",
        "nowpl",
        "photo",
        "posted a",
        "http",
        "drinking",
        "wordle",
        "nerdle",
        "worldle",
        "heardle",
        "framed",
        "daily",
        "the latest ",
    )
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
_ADDRESS: Final = re.compile(r"[\w.+-][@＠][\w-]+\.[^\W\d_]")
#: What spelled-out email addresses contain (tweets.cleaning.personal.emails): a bracket, or one of the providers.
_BRACKETS: Final = tuple(map(ord, "[({<"))
_PROVIDERS: Final = (
    b"mail",
    b"yahoo",
    b"outlook",
    b"icloud",
    b"aol",
    b"live",
    b"proton",
    b"gmx",
    b"web",
    b"zoho",
    b"yandex",
    *map(str.encode, "ıİ"),  # each is an "i" where case doesn't count
)


def may_change(block: Block, *, links: bool) -> tuple[Flags, Flags]:
    """Return which posts `clean_text` may change, and which of them may need more than `light_cleaner`.

    `links` is whether it changes links.
    """
    codes = block.codes
    bits = block.any_bits()
    hard = bits & WILD > 0
    easy = np.zeros_like(hard)
    blank = (codes == _SPACE) | (codes == 0)
    easy[block.posts_at(np.flatnonzero(blank[1:] & blank[:-1]) + 1)] = True
    if not (bits & MARKED).any() and _AT not in block.encoded:
        return easy | hard, hard
    # An entity ends with a semicolon.
    has_end = np.zeros_like(hard)
    has_end[block.posts_at(np.flatnonzero(codes == _SEMICOLON))] = True
    has_begin = np.zeros_like(hard)
    has_begin[block.posts_at(np.flatnonzero(codes == _AND))] = True
    easy |= has_begin & has_end
    if links:
        easy |= may_have_links(block)
    if not block.is_ascii:
        hard[block.posts_at(np.flatnonzero(codes == _WIDE_AT))] = True
    easy[block.posts_at(np.flatnonzero((codes == _BREAKS[0]) | (codes == _BREAKS[1])))] = True
    at = np.flatnonzero(codes == _AT)
    # "RT @name" in the middle, or "via @name" at the end. The mark in front of each post is no letter.
    before = [codes[np.maximum(at - back, 0)] for back in (1, 2, 3, 4)]
    quotes = np.logical_or.reduce([code == ord("T") for code in before[:3]])
    vias = np.logical_and.reduce([np.isin(code, some) for code, some in zip(before, _VIA, strict=True)])
    hard[block.posts_at(at[quotes | vias])] = True
    return easy | hard, hard


def may_have_links(block: Block) -> Flags:
    """Return which posts may contain a link, or one that was cut off."""
    codes = block.codes
    found = np.zeros(len(block.starts), bool)
    # A link has a slash after one of these: "://", "t.co/", ".com/".
    slashes = np.flatnonzero(codes == _SLASH)
    found[block.posts_at(slashes[np.isin(codes[slashes - 1], _BEFORE_SLASH)])] = True
    if not block.is_ascii:
        cuts = np.flatnonzero(codes == _CUT)
        found[block.posts_at(cuts[np.isin(codes[cuts - 1], _BEFORE_CUT)])] = True
    return found


def may_lack_something(block: Block) -> Flags:
    """Return which posts may have been cut off, or damaged by a wrong encoding. Needs the posts as they came."""
    found = np.zeros(len(block.starts), bool)
    signs = (block.codes == _CUT) | (block.codes == _LOST)
    found[block.posts_at(np.flatnonzero(signs))] = True
    return found


def may_be_of_an_app(block: Block, texts: Sequence[str]) -> Flags:
    """Return which posts `is_of_an_app` may be true for."""
    found = np.zeros(len(texts), bool)
    _add_words(found, block, _APP_WORDS)
    # The first characters from the first one of a word on.
    words = np.append(np.flatnonzero(block.bits & WORD), len(block.codes) - 1)
    first = words[np.searchsorted(words, block.starts)]
    beginnings = block.codes[np.minimum(first[:, np.newaxis] + np.arange(_APP_BEGIN), len(block.codes) - 1)]
    likely = (beginnings > 127).any(axis=1) | _begin_so(beginnings)
    for place in np.flatnonzero(likely & ~found).tolist():
        found[place] = _APP.match(texts[place]) is not None
    if not block.joined.isascii() and _APP_SIGNS.search(block.joined):
        found[[number for number, text in enumerate(texts) if _APP_SIGNS.search(text)]] = True
    return found


def _begin_so(beginnings: NDArray[Any]) -> Flags:
    """Return which ASCII beginnings (posts, _APP_BEGIN) those of a text that `_APP` matches may be."""
    lower = beginnings | 0x20  # other signs than letters become others, or stay
    first = lower[:, 0]
    found = (first >= ord("0")) & (first <= ord("9"))
    # "i" by itself. An underscore belongs to the word.
    found |= (first == ord("i")) & (_alphanumeric()[np.minimum(beginnings[:, 1], 127)] == 0)
    for begin in _APP_BEGINNINGS:
        # The commonest letters differ early, so few posts are left to compare.
        left = np.flatnonzero(first == begin[0])
        for place, code in enumerate(begin[1:], 1):
            left = left[lower[left, place] == code]
        found[left] = True
    return found


@cache
def _alphanumeric() -> Flags:
    return np.array([chr(code).isalnum() or chr(code) == "_" for code in range(128)])


def may_be_personal(block: Block, texts: Sequence[str]) -> Flags:
    """Return which posts may contain personal data."""
    bits, codes = block.bits, block.codes
    found = np.zeros(len(block.starts), bool)
    _add_words(found, block, (b"private key",))
    # Tokens and long random strings.
    breaks = np.flatnonzero(bits & KEYLIKE == 0)
    tokens = np.zeros_like(found)
    runs = np.diff(breaks) - 1
    tokens[block.posts_at(breaks[1:][runs >= _SHORTEST_TOKEN])] = True
    found[block.posts_at(breaks[1:][runs >= _LONG_TOKEN])] = True
    for place in np.flatnonzero(tokens & ~found).tolist():
        found[place] = has_token(texts[place])
    digits = np.flatnonzero(bits & DIGIT)
    if digits.size:
        found |= _with_numbers(block, texts, digits)
    # Email addresses, first those that are spelled out.
    spelled = np.zeros_like(found)
    _add_words(spelled, block, _PROVIDERS)
    spelled[block.posts_at(np.flatnonzero(np.isin(codes, _BRACKETS)))] = True
    for place in np.flatnonzero(spelled & ~found).tolist():
        found[place] = may_spell_one(texts[place])
    at = np.flatnonzero(codes == _AT if block.is_ascii else (codes == _AT) | (codes == _WIDE_AT))
    if at.size:
        before = bits[at - 1] & (WORD | KEYLIKE) > 0
        addresses = np.zeros_like(found)
        addresses[block.posts_at(at[before & (bits[at + 1] & WORD > 0)])] = True
        for place in np.flatnonzero(addresses & ~found).tolist():
            found[place] = _ADDRESS.search(texts[place]) is not None
    return found


def _with_numbers(block: Block, texts: Sequence[str], digits: Places) -> Flags:
    """Return which posts may contain passwords, or numbers of persons, things or computers."""
    codes = block.codes
    per_post = np.bincount(block.posts_at(digits), minlength=len(texts))
    # "password: …" with a digit in it, and addresses of computers.
    colons = np.bincount(block.posts_at(np.flatnonzero((codes == _COLON) | (codes == _EQUALS))), minlength=len(texts))
    dots = np.bincount(block.posts_at(np.flatnonzero(codes == _DOT)), minlength=len(texts))
    found = (colons > 1) & (per_post > 0) | (dots >= _IP_DOTS) & (per_post >= _IP_DIGITS)
    for place in np.flatnonzero((colons > 0) & (per_post > 0) & ~found).tolist():
        found[place] = may_name_a_key(texts[place])
    # Enough digits near each other.
    if digits.size >= _DIGITS:
        near = np.diff(digits) <= _GAP + 1
        runs = np.lib.stride_tricks.sliding_window_view(near, _DIGITS - 1).all(axis=1)
        found[block.posts_at(digits[: runs.size][runs])] = True
    return found


def may_say_nothing(block: Block, texts: Sequence[str]) -> Flags:
    """Return which posts may consist of links, mentions, placeholders and signs only."""
    found = _without_plain_words(block)
    linked = np.flatnonzero(may_have_links(block))
    if linked.size:
        # No link contains the mark.
        rest = with_links_as(" ", MARK.join([texts[place] for place in linked.tolist()]))
        found[linked] = _without_plain_words(Block(rest.split(MARK)))
    return found


def _without_plain_words(block: Block) -> Flags:
    """Return which posts have no word that begins with a letter after a space. No mention or placeholder does."""
    letters = np.flatnonzero(block.bits & LETTER)
    before = block.codes[letters - 1]
    found = np.ones(len(block.starts), bool)
    found[block.posts_at(letters[(before == _SPACE) | (before == 0)])] = False
    return found


def _add_words(found: Flags, block: Block, words: tuple[bytes, ...]) -> None:
    """Set the flags of the posts that contain one of the words, in any case."""
    lower = block.encoded.lower()
    places = [at for word in words if word in lower for at in _places(lower, word)]
    if places:
        is_ascii = len(lower) == len(block.codes)
        ends = block.ends if is_ascii else np.flatnonzero(np.frombuffer(lower, np.uint8) == 0)[1:]
        found[np.searchsorted(ends, places)] = True


def _places(text: bytes, word: bytes) -> list[int]:
    places = []
    at = text.find(word)
    while at >= 0:
        places.append(at)
        at = text.find(word, at + len(word))
    return places
