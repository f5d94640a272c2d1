from __future__ import annotations

import uuid

from celery import shared_task

from botfactory.jobs import services


@shared_task(name="botfactory.jobs.tasks.run_job")  # type: ignore[untyped-decorator]
def run_job(job_id: str) -> None:
    services.run(uuid.UUID(job_id))


@shared_task(name="botfactory.jobs.tasks.reap")  # type: ignore[untyped-decorator]
def reap() -> None:
    services.reap()
