"""What everybody may know of the server: workers, queues, base models. Of others' work, only counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_lazy as _

from botfactory.accounts.models import User
from botfactory.jobs import events
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.ops import components, house, workers
from botfactory.webhooks.services import QUEUE as WEBHOOKS
from models_app.training import tiers
from models_app.writing import asking

#: The most of the person's jobs that the page shows.
MOST: Final = 6
#: Queue -> what its workers do. Another queue is called by its name.
WORK: Final = {
    "train": _("Trainings and report cards"),
    "default": _("Imports and instant bots"),
    WEBHOOKS: _("Notifications by webhook"),
}


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of work: how many workers do it, and how many jobs run and wait. None: unknown, or not made of jobs."""

    name: str
    workers: int | None
    running: int | None
    waiting: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """`answers`: whether workers could be asked; `own`: the person's unfinished jobs with their places."""

    answers: bool
    work: list[Work]
    own: list[Job]
    more_own: bool
    offer: tiers.Offer


def status_for_user(user: User) -> Status:
    """Return the state of the server as `user` may see it. Asking the workers takes up to a second."""
    answers = _broker_answers()
    own = list(jobs.active_jobs(jobs.jobs_for_user(user)).order_by("created_at", "pk")[: MOST + 1])
    return Status(
        answers=answers,
        work=[_writing(answers), *_queues(answers)],
        own=events.placed(own[:MOST]),
        more_own=len(own) > MOST,
        offer=tiers.offer(),
    )


def _broker_answers() -> bool:
    try:
        components.broker()
    except Exception:
        return False
    return True


def _writing(answers: bool) -> Work:
    return Work(str(_("Writing posts")), asking.writers() if answers else None, None, None)


def _queues(answers: bool) -> list[Work]:
    slots = workers.slots() if answers else {}
    jobs_of = {queue.name: queue for queue in house.queues()}
    order = [*WORK, *sorted({*jobs_of, *workers.needed()} - WORK.keys())]
    return [
        Work(
            name=str(WORK.get(name, name)),
            workers=slots.get(name, 0) if answers else None,
            running=jobs_of[name].running if name in jobs_of else None,
            waiting=jobs_of[name].waiting if name in jobs_of else None,
        )
        for name in order
    ]
