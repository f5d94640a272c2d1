"""The workers: who is alive, what each listens to, and which job it runs."""

from __future__ import annotations

from collections.abc import Mapping
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
    from botfactory.celery import app

    queues = _listened_to()
    if not queues:
        return []
    # Those that are known by now are asked alone, which ends as soon as all of them have answered.
    known = app.control.inspect(destination=list(queues), timeout=ANSWER_SECONDS)
    stats: Mapping[str, Any] = known.stats() or {}
    cards = _gpus(list(queues))
    held = list(Job.objects.filter(state__in=HELD, at_terminal=False).select_related("owner"))
    found = []
    for name, listened in sorted(queues.items()):
        host = name.partition("@")[2]
        pool = stats.get(name, {}).get("pool", {})
        numbers = pool.get("processes", [])  # a pool of threads has none
        mine = {f"{host}:{number}" for number in numbers}
        found.append(
            Worker(
                name=name,
                queues=sorted(queue["name"] for queue in listened),
                jobs=[job for job in held if job.worker in mine],
                slots=len(numbers) or int(pool.get("max-concurrency", 0)),
                gpus=cards.get(name, []),
            )
        )
    return found


#: Who answered last time.
_known: set[str] = set()


def _listened_to() -> Mapping[str, Any]:
    """The queues of each worker that answers. Where somebody is missing, all are asked again and waited for longer."""
    from botfactory.celery import app

    answers: Mapping[str, Any] = {}
    for seconds in (QUICK_SECONDS, ANSWER_SECONDS):
        answers = app.control.inspect(timeout=seconds).active_queues() or {}
        heard = {queue["name"] for queues in answers.values() for queue in queues}
        if heard.issuperset(needed()) and _known.issubset(answers):
            break
    _known.clear()
    _known.update(answers)
    return answers


def needed() -> list[str]:
    """The queues to which somebody has to listen: those of the jobs, and that of webhooks."""
    return sorted({*kinds.queues(), WEBHOOKS})


def _gpus(names: list[str]) -> dict[str, list[Gpu]]:
    """The GPUs of each of the workers; one of an earlier version does not know the question."""
    from botfactory.celery import app

    # With a limit, so that nobody is waited for once all have answered.
    answers = app.control.broadcast("gpus", destination=names, reply=True, timeout=GPU_SECONDS, limit=len(names))
    told: dict[str, list[Gpu]] = {}
    for answer in answers or []:
        for name, cards in answer.items():
            if isinstance(cards, list):
                told[name] = [Gpu(**card) for card in cards]
    return told


def unheard(workers: list[Worker]) -> list[str]:
    """The queues to which none of them listens."""
    return sorted(set(needed()) - {queue for worker in workers for queue in worker.queues})
