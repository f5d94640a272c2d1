"""The example, made with one click: posts of an invented person, an instant bot, and one that is trained beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from botfactory.accounts import locking
from botfactory.accounts.models import User
from botfactory.jobs import events, worker
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.jobs.states import ENDED, State
from models_app.bots.errors import ModelError
from models_app.bots.rows import Tier, TrainedModel
from models_app.sharing import access
from models_app.training import instant, planning, starting_points, tiers
from models_app.writing import asking
from models_app.writing.form import GenerateForm
from tweets.corpora import learning
from tweets.importing import demo
from tweets.models import Corpus

#: How many of the person's posts are shown beside those of the bot.
SHOWN: Final = 9
_KINDS: Final = (instant.INSTANT_BOT, planning.FINE_TUNE)


class ExampleFailed(ModelError):
    code = "example_failed"


@dataclass(frozen=True, slots=True)
class Example:
    """What the page of the example shows.

    bot: what writes now, the trained one as soon as it's there; None until there is any. awaited: the job that makes
    it. training: the job of the trained bot, as long as it isn't there. failed: the job that should have made `bot`.
    """

    corpus: Corpus
    real: list[str]
    bot: TrainedModel | None
    awaited: Job | None
    training: Job | None
    failed: Job | None

    @property
    def is_awaited(self) -> bool:
        return self.bot is None and self.failed is None


def make(owner: User) -> Corpus:
    """Import the example and begin to make its bots, unless the person has them. It takes about a second.

    Raises what `jobs.submit`, `instant.make` and `planning.fine_tune` raise.
    """
    corpus = demo.demo_of(owner)
    if corpus is None:
        # In this process, because nobody should wait for a worker to read 463 posts.
        job = worker.run_claimed(demo.import_demo(owner=owner, run_here=True))
        corpus = demo.demo_of(owner)
        if job.state != State.SUCCEEDED or corpus is None:
            raise ExampleFailed(job.shown_error or _("The example couldn’t be imported. Try again."))
    with transaction.atomic():
        locking.lock(owner.pk)
        if not jobs.jobs_for_user(owner).filter(kind__in=_KINDS, subject_id=corpus.pk).exists():
            base = starting_points.start_for_user(owner, None)
            if not tiers.why_not(Tier.FLUENT):
                instant.make(owner=owner, corpus=corpus, name=_("%(name)s, instant") % {"name": corpus.name})
            training = planning.fine_tune(owner=owner, corpus=corpus, start=base)
            if owner.is_visitor:
                jobs.move_to_back(training)
    return corpus


def example_for_user(user: Any) -> Example | None:
    """Return the person's example, or None if they have none."""
    corpus = demo.demo_of(user)
    if corpus is None:
        return None
    bots = access.models_for_user(user).filter(corpus=corpus).order_by("-created_at", "pk")
    bot = next((each for each in bots if not instant.is_instant(each)), next(iter(bots), None))
    own = jobs.jobs_for_user(user).filter(kind__in=_KINDS, subject_id=corpus.pk)
    by_kind = {job.kind: job for job in own.order_by("created_at", "pk")}
    training = by_kind.get(planning.FINE_TUNE)
    first = by_kind.get(instant.INSTANT_BOT, training)
    return Example(
        corpus=corpus,
        real=learning.training_posts(corpus)[:SHOWN] if corpus.is_ready else [],
        bot=bot,
        awaited=first,
        training=events.placed([training])[0] if training is not None and training.state not in ENDED else None,
        failed=first if first is not None and first.state in ENDED and first.state != State.SUCCEEDED else None,
    )


def writing_context(example: Example, user: Any) -> dict[str, Any]:
    """Return what the page needs to let the bot write: its last posts, and whether it writes when it opens."""
    if example.bot is None:
        return {}
    generation = example.bot.generations.filter(owner=user).first()
    return {
        "model": example.bot,
        "generation": generation,
        "form": GenerateForm(),
        "may_loosen": False,
        "writes_on_opening": generation is None and asking.is_free(),
    }
