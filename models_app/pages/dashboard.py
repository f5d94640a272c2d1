"""What a person's dashboard shows: what is at work, what is ready, and what needs them. Each part is bounded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Case, Exists, OuterRef, QuerySet, Value, When
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import events
from botfactory.jobs import services as jobs
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import HELD
from models_app.bots.rows import TrainedModel
from models_app.pages import bot_list, showing
from models_app.sharing import access
from models_app.writing.keeping import reports
from tweets.corpora import services as corpora
from tweets.corpora.idle import IMPORT
from tweets.models import Corpus

#: The most rows of each part. The lists have the others.
MOST: Final = 6
#: How long a failure is shown.
RECENTLY: Final = timedelta(days=7)
_RUNNING_FIRST: Final = Case(When(state__in=HELD, then=Value(0)), default=Value(1))


@dataclass(frozen=True, slots=True)
class Failed:
    """A job to try again, with the words of the button that does so."""

    job: Job
    again: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The parts of the dashboard. `more_...` says whether there are more than are shown."""

    at_work: list[Job]
    more_at_work: bool
    bots: list[TrainedModel]
    more_bots: bool
    reported: list[reports.Waiting]
    failed: list[Failed]
    more_failed: bool
    # Posts that no bot has learned and no job is using: they wait for a training, or for another import.
    idle: list[Corpus]
    more_idle: bool

    @property
    def needs_you(self) -> bool:
        return bool(self.reported or self.failed or self.idle)

    @property
    def is_empty(self) -> bool:
        """Whether the person has yet to begin."""
        return not (self.at_work or self.bots or self.needs_you)


def dashboard_for_user(user: User) -> Dashboard:
    """Return the person's dashboard. The number of queries doesn't depend on what the person has."""
    own = jobs.jobs_for_user(user)
    at_work = list(jobs.active_jobs(own).order_by(_RUNNING_FIRST, "created_at", "pk")[: MOST + 1])
    bots = list(bot_list.find(access.models_for_user(user), user)[: MOST + 1])
    idle = list(_idle(user)[: MOST + 1])
    # The rows of the posts say so, here or in the list of all posts.
    told = _idle(user).exclude(state=Corpus.State.READY).order_by().values("pk")
    since = timezone.now() - RECENTLY
    failed = list(jobs.to_try_again(own, since=since).exclude(kind=IMPORT, subject_id__in=told)[: MOST + 1])
    about = {job.subject_id for job in failed}
    return Dashboard(
        at_work=events.placed(at_work[:MOST]),
        more_at_work=len(at_work) > MOST,
        bots=showing.with_last_posts(bots[:MOST]),
        more_bots=len(bots) > MOST,
        reported=reports.waiting_for(user)[:MOST],
        failed=[Failed(job, str(kind_of(job.kind).again)) for job in failed[:MOST]],
        more_failed=len(failed) > MOST,
        idle=[corpus for corpus in idle[:MOST] if corpus.pk not in about],
        more_idle=len(idle) > MOST,
    )


def _idle(user: User) -> QuerySet[Corpus]:
    """Return the person's corpora, the newest first, that no bot has learned and no job is using."""
    own = corpora.with_trouble(corpora.corpora_for_user(user)).exclude(state=Corpus.State.IMPORTING)
    used = jobs.active_jobs(Job.objects.filter(subject_id=OuterRef("pk")))
    learned = TrainedModel.objects.filter(owner=user, corpus=OuterRef("pk"))
    return own.exclude(Exists(used)).exclude(Exists(learned)).order_by("-created_at", "pk")
