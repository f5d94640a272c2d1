from __future__ import annotations

from celery import shared_task

from botfactory.jobs import reaper, worker


@shared_task(name="botfactory.jobs.tasks.run_next")
def run_next(queue: str) -> None:
    worker.run_next(queue)


@shared_task(name="botfactory.jobs.tasks.reap")
def reap() -> None:
    reaper.reap()
