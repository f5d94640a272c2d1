"""Keeps @mentions out of posts: a bot would mention random people who have nothing to do with it.

A bot that may name nobody writes no @, so it puts its sentences another way. Where a sentence needs a name, as behind
RT, it writes another post.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.words import HANDLE, LINK

#: What a bot doesn't write. It hardly knows the wide one, which `adds` finds, too.
SIGN: Final = b"@"
#: A sentence needs a name if one is this many times as likely as any other symbol.
NEEDED: Final = 9
#: Mentions nobody. `@user` or `@name` is a real account, which would be notified of the post. The mask is never longer
#: than the mention, so a post stays within its limit.
MASK: Final = "@…"
#: A handle with dots or hyphens: a domain, as on Bluesky, or a name in front of its server. The end of a domain is in
#: lower case, so the sentence after "@bob.Then" stays.
_DOMAIN: Final = r"[@＠](?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[a-z]{2,}(?![\w-])"
_AT_SERVER: Final = r"[@＠][A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?:[@＠][\w.-]*\w)+"
#: What X or Mastodon takes for a mention. On X, that includes a handle after a slash or after RT. The group matches
#: only for these. On Mastodon, it includes a handle after one of !#$%&*@, unlike `words.MENTION`.
_MENTION: Final = re.compile(
    r"(?:(?<![A-Za-z0-9_/])|((?<=/)|(?<=[Rr][Tt])(?<![A-Za-z0-9_+~.-][Rr][Tt])))"
    rf"(?:{_AT_SERVER}|{_DOMAIN}|{HANDLE})"
)
#: Whom a post answers.
_ADDRESSED: Final = re.compile(rf"\s*(?:\.?{MASK}[\s,:]*)+")


def bar(
    logits: NDArray[np.float32], barred: NDArray[np.float32], rows: list[int], names: NDArray[np.intp]
) -> list[int]:
    """Bar the symbols `names` in these rows of `barred` (B, size), and return the rows that need one.

    These are the rows where a name is NEEDED times as likely as any other symbol.
    """
    at = np.ix_(np.array(rows, np.intp), names)
    likeliest = (logits[at] + barred[at]).max(axis=1, initial=-np.inf)
    barred[at] = -np.inf
    others = (logits[rows] + barred[rows]).max(axis=1, initial=-np.inf)
    return [row for row, needs in zip(rows, likeliest > others + math.log(NEEDED), strict=True) if needs]


def adds(post: str, prompt: str) -> bool:
    """Return whether the post mentions somebody whom its prompt doesn't."""
    return any(end > len(prompt) for _, end in _mentions(post))


def masked(text: str) -> str:
    """Return the text with each @mention replaced by `@…`."""
    parts, at = [], 0
    for begin, end in _mentions(text):
        parts += [text[at:begin], MASK]
        at = end
    return "".join([*parts, text[at:]])


def without(post: str) -> str:
    """Return the post as a bot might write it, without the @mentions that it begins with and with others masked."""
    text = masked(post)
    addressed = _ADDRESSED.match(text)
    return text[addressed.end() :] if addressed else text


def _mentions(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each mention begins and ends."""
    links: list[tuple[int, int]] | None = None
    for found in _MENTION.finditer(text):
        if found.group(1) is not None:
            if links is None:
                links = [link.span() for link in LINK.finditer(text)]
            if any(begin < found.start() < end for begin, end in links):
                continue
        yield found.span()
