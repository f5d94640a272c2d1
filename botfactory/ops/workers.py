"""The running workers, with their queues and jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from botfactory.jobs import kinds
from botfactory.jobs.models import Job
from botfactory.jobs.states import HELD
from botfactory.ops.machine import Gpu
from botfactory.webhooks.services import QUEUE as WEBHOOKS

#: Seconds to wait for the next answer. Workers answer within milliseconds.
QUICK_SECONDS = 0.15
#: The same if a worker is missing: nobody listens to a queue, or a worker that answered before hasn't.
ANSWER_SECONDS = 1.0
#: The same for GPUs, because nvidia-smi takes longer.
GPU_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that answered, with the jobs that it runs, the number of jobs it can run at once, and its GPUs."""

    name: str
    queues: list[str]
    jobs: list[Job]
    slots: int
    gpus: list[Gpu]


def alive() -> list[Worker]:
    """Return the workers that answer, sorted by name. Check components.broker() first."""
    told = _told()
    if not told:
        return []
    held = list(Job.objects.filter(state__in=HELD, at_terminal=False).select_related("owner"))
    found = []
    for name, about in sorted(told.items()):
        found.append(
            Worker(
                name=name,
                queues=about["queues"],
                jobs=[job for job in held if job.worker in about["processes"]],
                slots=len(about["processes"]) or about["slots"],
                gpus=[Gpu(**card) for card in about["cards"]],
            )
        )
    return found


def slots() -> dict[str, int]:
    """Return how many jobs the workers of each queue can run at once. Check components.broker() first.

    The answers of a moment ago do, so that a page for everybody doesn't ask the workers each time.
    """
    found: dict[str, int] = {}
    for about in _told(is_for_all=True).values():
        for queue in about["queues"]:
            found[queue] = found.get(queue, 0) + (len(about["processes"]) or about["slots"])
    return found


#: Seconds for which complete answers are reused. A worker that has just answered is slow to answer again.
FRESH_SECONDS = 2.0
_last: dict[str, dict[str, Any]] = {}
_asked_at = float("-inf")


def _told(*, is_for_all: bool = False) -> dict[str, dict[str, Any]]:
    """Return the answers of the workers (remote.about). If one is missing, ask all of them again and wait longer.

    With `is_for_all`, reuse answers even if one was missing.
    """
    global _last, _asked_at
    if (is_for_all or _hears_all(_last)) and time.monotonic() - _asked_at < FRESH_SECONDS:
        return _last
    told: dict[str, dict[str, Any]] = {}
    for seconds in (QUICK_SECONDS, ANSWER_SECONDS):
        told = _ask("about", seconds)
        if _hears_all(told) and _last.keys() <= told.keys():
            break
    # A second question, only to workers with GPUs: nvidia-smi is slower than the time we give the others.
    with_gpus = [name for name, about in told.items() if about["gpus"]]
    cards = _ask("gpus", GPU_SECONDS, with_gpus) if with_gpus else {}
    _last = {name: {**about, "cards": cards.get(name, [])} for name, about in told.items()}
    _asked_at = time.monotonic()
    return _last


def _hears_all(told: dict[str, dict[str, Any]]) -> bool:
    return {queue for about in told.values() for queue in about["queues"]}.issuperset(needed())


def _ask(question: str, seconds: float, names: list[str] | None = None) -> dict[str, Any]:
    """Return the answers by worker name, from these workers or from all. Workers of earlier versions don't answer."""
    from botfactory.celery import app

    # The limit ends the wait as soon as all have answered.
    limit = len(names) if names else None
    answers = app.control.broadcast(question, destination=names, reply=True, timeout=seconds, limit=limit) or []
    given = {name: answer for each in answers for name, answer in each.items()}
    return {name: answer for name, answer in given.items() if not (isinstance(answer, dict) and "error" in answer)}


def needed() -> list[str]:
    """Return the queues that need a worker: those of jobs, and that of webhooks."""
    return sorted({*kinds.queues(), WEBHOOKS})


def unheard(workers: list[Worker]) -> list[str]:
    """Return the queues to which none of the workers listens."""
    return sorted(set(needed()) - {queue for worker in workers for queue in worker.queues})
