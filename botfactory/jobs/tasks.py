from __future__ import annotations

import uuid

from celery import shared_task

from botfactory.jobs import reaper, worker


@shared_task(name="botfactory.jobs.tasks.run_job")
def run_job(job_id: str) -> None:
    worker.run(uuid.UUID(job_id))


@shared_task(name="botfactory.jobs.tasks.reap")
def reap() -> None:
    reaper.reap()
