from __future__ import annotations

from celery import shared_task

from botfactory.accounts import sessions


@shared_task(name="botfactory.accounts.tasks.forget_sessions")
def forget_sessions() -> None:
    sessions.forget_ended()
