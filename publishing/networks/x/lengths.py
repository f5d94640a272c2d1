"""Length of a post on X, and whether it has a link: the published weights, configuration 3 of twitter-text.

https://docs.x.com/fundamentals/counting-characters: a link counts 23, an emoji 2, and a character 1 in these ranges,
else 2.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 280
_LINK: Final = 23
_LIGHT: Final = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_PICTURE: Final = "[\u203c-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
_WITH: Final = "\ufe0f?[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
#: However many characters it's made of, it counts as one emoji: keycaps, flags, families.
_EMOJI: Final = re.compile(
    f"[0-9#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{{2}}|[©®]\ufe0f?|{_PICTURE}{_WITH}(?:\u200d{_PICTURE}{_WITH})*"
)
_REST: Final = r"(?:[/?#][A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*[A-Za-z0-9\-_~/#&=+$%])?"
#: With https://, or a name under a usual domain. X links a few more, and says so when it gets the post.
_URL: Final = re.compile(
    rf"(?<![\w@.\-/])(?:https?://[A-Za-z0-9\-.]+\.[A-Za-z]{{2,}}(?::[0-9]+)?{_REST}"
    rf"|(?:[A-Za-z0-9\-]+\.)+(?:com|org|net|edu|gov|info|biz|app|dev|blog|news|shop|social|[a-z]{{2}})(?![\w\-@]|\.\w){_REST})",
    re.ASCII,
)


def weighted(text: str) -> int:
    """Return the length of a text as X counts it.

    >>> weighted("ab"), weighted("日本"), weighted("👩🏽‍🚀"), weighted("https://example.org/a/very/long/path?with=values")
    (2, 4, 2, 23)
    """
    text = unicodedata.normalize("NFC", text)
    without, links = _URL.subn("", text)
    rest, emoji = _EMOJI.subn("", without)
    return links * _LINK + emoji * 2 + sum(_weight(ord(character)) for character in rest)


def has_link(text: str) -> bool:
    """Return whether X makes a link of a part of the text."""
    return _URL.search(text) is not None


def without_links(text: str) -> list[str]:
    """Return the words of a text, with the same mark for each link: X replaces links by its own."""
    return unicodedata.normalize("NFC", _URL.sub(" \N{LINK SYMBOL} ", text)).split()


def _weight(character: int) -> int:
    return 1 if any(first <= character <= last for first, last in _LIGHT) else 2
