"""What the owner of a bot approves and rejects decides which drafts are proposed. It unlocks nothing that is refused.

What was learned isn't stored: it follows from the decisions (models_app/ml/evaluation/taste.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain, islice
from typing import Final

from django.utils.translation import gettext as _

from botfactory.words.translatable import mark
from models_app.bots import guards
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.evaluation import taste
from models_app.ml.evaluation.authorship import VoiceClassifier
from models_app.writing.rows import Generation
from publishing.models import Proposal, Queue
from tweets.corpora import learning

#: Posts of the person and of the bot that tell how the person sounds; with fewer, nothing does.
_HEARD, _LEAST_HEARD = 500, 100

#: What people are told that they often reject: posts with much and with little of something.
_SAID: Final = {
    "long": (mark("long posts"), mark("short posts")),
    "question": (mark("questions"), mark("posts that ask nothing")),
    "exclamation": (mark("posts with exclamation marks"), mark("posts without exclamation marks")),
    "hashtag": (mark("posts with hashtags"), mark("posts without hashtags")),
    "link": (mark("posts with links"), mark("posts without links")),
    "number": (mark("posts with numbers"), mark("posts without numbers")),
    "capitals": (mark("posts with many capitals"), mark("posts with few capitals")),
    "sense": (mark("posts that make perfect sense"), mark("posts that make little sense")),
    "near": (mark("posts close to ones that you wrote"), mark("posts far from anything that you wrote")),
    "voice": (mark("posts that sound just like you"), mark("posts that don’t sound like you")),
    "word": (mark("posts with “%(word)s”"), mark("posts without “%(word)s”")),
}


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much a bot writes for each proposal, and how many drafts it draws for each of these posts."""

    written: float
    best_of: int | None


#: Some posts are refused, and some are too close to others. A fluent bot shows the best of so many drafts: readers
#: would publish more of those, and nobody waits for its first words (docs/fluent.md).
_PLAIN: Final = {Tier.FLUENT: Amounts(1.2, 9), Tier.QUICK: Amounts(2, None)}
#: Where a taste chooses among the posts. A fluent bot draws as many drafts as before.
_CHOSEN: Final = {Tier.FLUENT: Amounts(3.6, 3), Tier.QUICK: Amounts(6, None)}


def taste_of(queue: Queue) -> taste.Taste | None:
    """Return what the queue's owner likes; None if nobody can tell, or if it would make proposals no better."""
    return None if queue.is_new else taste.learned(list(_decisions(queue)))


def _decisions(queue: Queue) -> Iterator[taste.Decision]:
    """Yield the newest decisions, oldest first. “Not now” says nothing about the post."""
    decided = queue.proposals.filter(state__in=(Proposal.State.APPROVED, Proposal.State.REJECTED))
    rows = decided.exclude(reason=Proposal.Reason.NOT_NOW).order_by("-decided_at")
    newest = rows.values_list("written", "text", "state", "measured")[: taste.MOST]
    for written, text, state, measured in reversed(newest):
        liked = _kept(written, text) if state == Proposal.State.APPROVED else 0.0
        yield taste.Decision(taste.Post(written, measured), liked)


def _kept(written: str, text: str) -> float:
    """Return what share of the post its owner kept: an edit says that something was wrong with it."""
    return 1.0 if written == text else SequenceMatcher(None, written.split(), text.split()).ratio()


def amounts(model: TrainedModel, found: taste.Taste | None) -> Amounts:
    """Return how much to write."""
    of_tiers = _PLAIN if found is None else _CHOSEN
    return of_tiers[Tier.FLUENT if model.tier == Tier.FLUENT else Tier.QUICK]


def best_first(
    found: taste.Taste | None, model: TrainedModel, generation: Generation
) -> list[tuple[int, str, dict[str, float]]]:
    """Return the posts with their indices and what was measured: the most likely to be approved first, else as written.

    Raises what `guards.guard_of` raises.
    """
    measured = _measured(model, generation)
    posts = [taste.Post(text, each) for text, each in zip(generation.posts, measured, strict=True)]
    order = range(len(posts)) if found is None else (-found.score(posts)).argsort(kind="stable").tolist()
    return [(number, posts[number].text, measured[number]) for number in order]


def _measured(model: TrainedModel, generation: Generation) -> list[dict[str, float]]:
    """Return what is known of each post: some of taste.MEASURES."""
    posts: list[str] = generation.posts
    by_writer: list[Mapping[str, float]] = list(generation.measured) or [{}] * len(posts)
    guard, voice = guards.guard_of(model), _voice(model, generation)
    sounds = None if voice is None else voice.evidence(posts)
    found = []
    for place, post in enumerate(posts):
        each = dict(by_writer[place])
        if guard is not None:
            nearest = guard.nearest(post)
            each["near"] = round(nearest.share, 3) if nearest else 0.0
        if sounds is not None:
            each["voice"] = round(float(sounds[place]) / max(1, len(post)), 4)
        found.append(each)
    return found


def _voice(model: TrainedModel, generation: Generation) -> VoiceClassifier | None:
    """Return what tells the person's posts from earlier ones by the bot; None with too few of either."""
    if model.corpus is None:
        return None
    others = Generation.objects.filter(model=model, owner=model.owner_id).exclude(pk=generation.pk)
    newest = others.order_by("-created_at").values_list("posts", flat=True)[:_HEARD]
    by_bot = list(islice(chain.from_iterable(newest), _HEARD))
    if len(by_bot) < _LEAST_HEARD:
        return None
    own = list(islice(learning.newest_training_posts(model.corpus), len(by_bot)))
    return VoiceClassifier.of(own, by_bot) if len(own) >= _LEAST_HEARD else None


def sentence(found: taste.Taste | None) -> str:
    """Return what the owner often rejects, in the active language; "" if nothing can be said."""
    said = [_said(lean) for lean in found.leans] if found is not None else []
    if len(said) > 1:
        return _("You often reject %(what)s and %(more)s.") % {"what": said[0], "more": said[1]}
    return _("You often reject %(what)s.") % {"what": said[0]} if said else ""


def _said(lean: taste.Lean) -> str:
    phrase = _(_SAID[lean.name][lean.side == "little"])
    return phrase % {"word": lean.word} if lean.word else phrase
