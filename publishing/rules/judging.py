"""Whether a text may be published: asked at each decision and again right before a post leaves, with today's lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from botfactory.words.translatable import Sentence, mark
from models_app.bots import guards
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.copy_guard import CopyGuard
from tweets.cleaning import personal

#: Whatever a network might take for a mention. "me@home" is personal data, which has a check of its own.
_MENTION: Final = re.compile(r"[@＠][\w…]")


class NotAllowed(Exception):
    """The text may not be published; the message says why, marked for translation."""

    code = "not_allowed"
    param = "text"

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.template, self.plural = getattr(said, "template", said), getattr(said, "plural", "")
        self.values = getattr(said, "values", {})
        self.said = said


def require_allowed(model: TrainedModel, text: str) -> None:
    """Return if a post by this bot may have this text.

    Raises NotAllowed, and what `guards.guard_of` raises if nobody can tell whether the text is a copy.
    """
    if (phrase := house_bans().finds(text)) is not None:
        said = mark("It contains “%(phrase)s”, which the administrator has banned. Change the post.")
        raise NotAllowed(Sentence(said, phrase=phrase))
    if _MENTION.search(text):
        raise NotAllowed(mark("It mentions somebody. Posts of a bot mention nobody: remove the @name."))
    if personal.adds(text):
        raise NotAllowed(mark("It seems to contain personal data, such as an address or a number. Remove it."))
    guard = guards.guard_of(model)
    if guard is not None and guard.is_copy(text):
        raise NotAllowed(mark("It’s too close to a post that the bot learned from. Change it or reject it."))


def near_copies(texts: Iterable[str]) -> CopyGuard:
    """Return what finds near copies of these texts."""
    return CopyGuard.of(texts)
