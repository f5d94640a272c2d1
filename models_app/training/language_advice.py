"""Which kind of bot suits the language of the posts, and which written posts are in another one.

SmolLM2, on which fluent bots build, has read mostly English. In other languages, too, fluent bots predict posts better
than quick ones. But unless they have learned many, they often write English (docs/fluent.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from models_app.bots.rows import Tier, TrainedModel
from tweets.cleaning.language import language_of
from tweets.corpora import report as reports
from tweets.models import Corpus

#: The sha256 of SmolLM2's file.
SMOLLM2: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
#: From how many characters on fluent bots wrote mostly in another language, as far as that was measured.
ENOUGH: Final[Mapping[str, int]] = {"es": 50_000}


@dataclass(frozen=True, slots=True)
class Advice:
    """The tier that we recommend, and why."""

    tier: Tier
    sentence: str


def foreign_to(corpus: Corpus | None) -> Callable[[str], bool] | None:
    """Return what tells a post that is clearly in none of the corpus's languages, or None if they aren't known."""
    known = reports.usual_languages(corpus.report) if corpus is not None else frozenset[str]()
    return (lambda post: language_of(post) not in {None, *known}) if known else None


def advice_for(corpus: Corpus, bases: Iterable[TrainedModel]) -> Advice | None:
    """Return what to choose among these bases for posts that are mostly in another language than English, else None.

    Nobody knows which languages another language model than SmolLM2 has read, so there's no advice then.
    """
    code = reports.main_language(corpus.report)
    if code in (None, "en") or not any(base.network.get("pretrained") == SMOLLM2 for base in bases):
        return None
    if corpus.characters >= ENOUGH.get(code or "", math.inf):
        tier = Tier.FLUENT
        sentence = _(
            "Most of these posts are in %(language)s. The language model of fluent bots has read mostly English, but "
            "in this language, too, they do better than quick ones. We recommend a fluent bot."
        )
    else:
        tier = Tier.QUICK
        sentence = _(
            "Most of these posts are in %(language)s. The language model of fluent bots has read mostly English, so "
            "they often write English instead. We recommend a quick bot."
        )
    return Advice(tier, sentence % {"language": reports.name_of(code)})


def warning_for(corpus: Corpus, start: TrainedModel) -> str:
    """Return what speaks against training `start` on these posts, or ""."""
    advice = advice_for(corpus, [start])
    return "" if advice is None or advice.tier == Tier.FLUENT else advice.sentence
