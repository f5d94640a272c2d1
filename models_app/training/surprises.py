"""A few held-out posts of a report card, word by word, coloured by how much each surprises the base model and the bot.

They are the person's own posts, so only the bot's owner sees them, or anything about them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from models_app.bots.rows import TrainedModel
from models_app.ml.evaluation.surprise import words_of

#: The bits from which a word has the next darker background.
LEVELS: Final = (3, 6, 10, 15)


@dataclass(frozen=True, slots=True)
class Word:
    """A word, its rounded bits, and how dark its background is: from 0 to the number of levels."""

    text: str
    bits: int
    level: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A post as one model reads it. is_bot: the bot, or else the base model; bits: of all words."""

    is_bot: bool
    words: tuple[Word, ...]
    bits: int


@dataclass(frozen=True, slots=True)
class Surprising:
    """A held-out post, read by the base model and by the bot."""

    readings: tuple[Reading, Reading]


def shown(model: TrainedModel, texts: Mapping[int, str]) -> list[Surprising]:
    """Return the held-out posts of the report card that are still as they were, from `services.card_posts_for_user`."""
    shown = []
    for post in model.report.get("surprise", []):
        words = words_of(texts.get(post["post"], ""))
        if len(words) == len(post["base"]) == len(post["bot"]) > 0:
            shown.append(Surprising((_reading(words, post["base"], False), _reading(words, post["bot"], True))))
    return shown


def report_for_user(user: Any, model: TrainedModel) -> dict[str, Any]:
    """Return the report card: for others than the owner without what it says about single held-out posts."""
    hidden = () if _is_owner(user, model) else ("surprise",)
    return {name: value for name, value in model.report.items() if name not in hidden}


def _reading(words: list[str], bits: list[float], is_bot: bool) -> Reading:
    rounded = [round(each) for each in bits]
    read = (Word(word.strip(), each, bisect_right(LEVELS, each)) for word, each in zip(words, rounded, strict=True))
    return Reading(is_bot, tuple(read), round(sum(bits)))


def _is_owner(user: Any, model: TrainedModel) -> bool:
    return model.owner_id is not None and model.owner_id == user.pk
