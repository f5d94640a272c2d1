"""Handles of X: a name."""

from __future__ import annotations

import re

from botfactory.words.translatable import mark
from tweets.sources.base import NoAccount
from tweets.sources.handles import visible
from tweets.sources.kinds import Claim

_NAME = re.compile(r"[A-Za-z0-9_]{1,15}\Z")
_ADDRESS = re.compile(
    r"(?:https?://)?(?:(?:www|mobile|m)\.)?(?:x|twitter)\.com/(?:#!/)?@?([^/?#]*)(?:[/?#].*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
# First parts of paths on x.com that are pages of the site, not accounts.
_RESERVED = frozenset(
    {
        "about",
        "account",
        "compose",
        "download",
        "explore",
        "hashtag",
        "help",
        "home",
        "i",
        "intent",
        "jobs",
        "login",
        "logout",
        "messages",
        "notifications",
        "oauth",
        "privacy",
        "search",
        "settings",
        "share",
        "signup",
        "tos",
    }
)


def claim(text: str) -> Claim:
    """Return how surely the text names an account of X."""
    return Claim.CERTAIN if _ADDRESS.match(text) else Claim.NO


def parse(text: str) -> str:
    """Return the handle without @, from `@name`, `name` or an address of the profile or of one of its posts.

    Upper and lower case are kept as typed. Raises NoAccount for anything else.
    """
    typed = visible(text)
    if not typed:
        raise NoAccount(mark("Type the handle of an account, such as @name."))
    address = _ADDRESS.match(typed)
    if address:
        name = address.group(1)
        if name.lower() in _RESERVED or not name:
            raise NoAccount(mark("This address is a page of X, not an account. Type the handle, such as @name."))
    else:
        name = typed.removeprefix("@")
    if not _NAME.match(name):
        raise NoAccount(
            mark(
                "An X handle has 1 to 15 letters, digits or underscores, such as @name. "
                "The address of a profile, https://x.com/name, works too."
            )
        )
    return name
