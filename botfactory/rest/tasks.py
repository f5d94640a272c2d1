from __future__ import annotations

from celery import shared_task

from botfactory.rest import idempotency


@shared_task(name="botfactory.rest.tasks.forget_answers")
def forget_answers() -> None:
    idempotency.forget_old()
