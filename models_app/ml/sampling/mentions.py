"""Masks @mentions in generated posts: the model would mention random people who have nothing to do with it."""

from __future__ import annotations

import re
from re import Match
from typing import Final

from models_app.ml.words import HANDLE, LINK

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


def masked(text: str, *, prompt: str = "") -> str:
    """Return the text with each @mention replaced by `@…`, except in the prompt and for accounts it mentions."""
    named = {mention.group().casefold() for mention in _MENTION.finditer(prompt)}
    links = [link.span() for link in LINK.finditer(text)]

    def mask(mention: Match[str]) -> str:
        at = mention.start()
        typed = prompt[at:]
        if mention.group(1) is not None and any(begin < at < end for begin, end in links):
            return mention.group()
        if mention.group().casefold() in named or mention.end() <= len(prompt):
            return mention.group()
        # The prompt begins this handle and the model continued it.
        return f"{typed}…" if len(typed) > 1 else MASK

    return _MENTION.sub(mask, text)
