"""The workers: who is alive, what each listens to, and which job it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from botfactory.jobs import kinds
from botfactory.jobs.models import Job
from botfactory.jobs.states import HELD
from botfactory.ops.machine import Gpu
from botfactory.webhooks.services import QUEUE as WEBHOOKS

#: How long another answer is waited for, in seconds: those that are alive answer within milliseconds.
QUICK_SECONDS = 0.15
#: The same where somebody is missing: a queue is unheard, or one who answered before has not.
ANSWER_SECONDS = 1.0
#: Asking nvidia-smi takes longer, where there is one.
GPU_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that answered: the `jobs` that it holds, of how many `slots`, and the `gpus` that it sees."""

    name: str
    queues: list[str]
    jobs: list[Job]
    slots: int
    gpus: list[Gpu]


def alive() -> list[Worker]:
    """The workers that answer, by name. The broker has to be there: components.broker() tells."""
    told = _told()
    if not told:
        return []
    held = list(Job.objects.filter(state__in=HELD, at_terminal=False).select_related("owner"))
    found = []
    for name, about in sorted(told.items()):
        host = name.partition("@")[2]
        mine = {f"{host}:{number}" for number in about["processes"]}
        found.append(
            Worker(
                name=name,
                queues=about["queues"],
                jobs=[job for job in held if job.worker in mine],
                slots=len(about["processes"]) or about["slots"],
                gpus=[Gpu(**card) for card in about["cards"]],
            )
        )
    return found


#: A worker that has just answered answers the next question late. Answers that name everybody hold for so long.
FRESH_SECONDS = 2.0
_last: dict[str, dict[str, Any]] = {}
_asked_at = 0.0


def _told() -> dict[str, dict[str, Any]]:
    """What each worker tells (remote.about). Where somebody is missing, all are asked again and waited for longer."""
    global _last, _asked_at
    if _hears_all(_last) and time.monotonic() - _asked_at < FRESH_SECONDS:
        return _last
    told: dict[str, dict[str, Any]] = {}
    for seconds in (QUICK_SECONDS, ANSWER_SECONDS):
        told = _ask("about", seconds)
        if _hears_all(told) and _last.keys() <= told.keys():
            break
    # Asked apart, and only those who have some: nvidia-smi takes longer than anybody waits for the rest.
    with_gpus = [name for name, about in told.items() if about["gpus"]]
    cards = _ask("gpus", GPU_SECONDS, with_gpus) if with_gpus else {}
    _last = {name: {**about, "cards": cards.get(name, [])} for name, about in told.items()}
    _asked_at = time.monotonic()
    return _last


def _hears_all(told: dict[str, dict[str, Any]]) -> bool:
    return {queue for about in told.values() for queue in about["queues"]}.issuperset(needed())


def _ask(question: str, seconds: float, names: list[str] | None = None) -> dict[str, Any]:
    """The answers by the names of the workers: of these, or of all. Who is of an earlier version answers nothing."""
    from botfactory.celery import app

    # With a limit, so that nobody is waited for once all have answered.
    limit = len(names) if names else None
    answers = app.control.broadcast(question, destination=names, reply=True, timeout=seconds, limit=limit) or []
    given = {name: answer for each in answers for name, answer in each.items()}
    return {name: answer for name, answer in given.items() if not (isinstance(answer, dict) and "error" in answer)}


def needed() -> list[str]:
    """The queues to which somebody has to listen: those of the jobs, and that of webhooks."""
    return sorted({*kinds.queues(), WEBHOOKS})


def unheard(workers: list[Worker]) -> list[str]:
    """The queues to which none of them listens."""
    return sorted(set(needed()) - {queue for worker in workers for queue in worker.queues})
