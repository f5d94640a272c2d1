"""@mentions in what a model writes: it names people at random, who have nothing to do with it."""

from __future__ import annotations

from re import Match
from typing import Final

from models_app.ml.words import MENTION

#: Whom it names: nobody. `@user` or `@name` would be somebody's handle, and would ring there when the post is sent; and
#: this is never longer than what it stands for, so that a post keeps within its limit.
MASK: Final = "@…"


def masked(text: str, *, prompt: str = "") -> str:
    """The text with each @mention as `@…`. What was typed stays: the prompt itself, and whoever is named in it."""
    named = {mention.group().casefold() for mention in MENTION.finditer(prompt)}

    def mask(mention: Match[str]) -> str:
        typed = prompt[mention.start() :]
        if mention.group().casefold() in named or mention.end() <= len(prompt):
            return mention.group()
        # A handle that the prompt began and the model went on with
        return f"{typed}…" if len(typed) > 1 else MASK

    return MENTION.sub(mask, text)
