"""From what a person types to a handle."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9_]{1,15}\Z")
_URL = re.compile(
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


def parse_x_handle(text: str) -> str:
    """The handle without @, from `@name`, `name` or an address of the profile or of one of its posts.

    Upper and lower case are kept as typed. Raises ValueError with a sentence for anything else.
    """
    typed = text.strip()
    if not typed:
        raise ValueError("Type the handle of an account, such as @name.")
    address = _URL.match(typed)
    if address:
        name = address.group(1)
        if name.lower() in _RESERVED or not name:
            raise ValueError("That address is a page of X, not an account. Type the handle, such as @name.")
    else:
        name = typed.removeprefix("@")
    if not _NAME.match(name):
        raise ValueError(
            "An X handle has 1 to 15 letters, digits or underscores, such as @name. "
            "The address of a profile, https://x.com/name, works too."
        )
    return name
