"""Masks @mentions in generated posts: the model would mention random people who have nothing to do with it."""

from __future__ import annotations

from re import Match
from typing import Final

from models_app.ml.words import MENTION

#: Mentions nobody. `@user` or `@name` is a real account, which would be notified of the post. The mask is never longer
#: than the mention, so a post stays within its limit.
MASK: Final = "@…"


def masked(text: str, *, prompt: str = "") -> str:
    """Return the text with each @mention replaced by `@…`, except in the prompt and for accounts it mentions."""
    named = {mention.group().casefold() for mention in MENTION.finditer(prompt)}

    def mask(mention: Match[str]) -> str:
        typed = prompt[mention.start() :]
        if mention.group().casefold() in named or mention.end() <= len(prompt):
            return mention.group()
        # The prompt begins this handle and the model continued it.
        return f"{typed}…" if len(typed) > 1 else MASK

    return MENTION.sub(mask, text)
