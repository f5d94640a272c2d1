from __future__ import annotations

from celery import shared_task

from publishing.queue import filling, mails
from publishing.sending import remains, sender


@shared_task(name=sender.SEND)
def send() -> None:
    sender.send_next()


@shared_task(name=mails.SEND)
def send_mails() -> None:
    mails.send_due()


@shared_task(name=filling.FILL)
def fill() -> None:
    filling.fill_next()


@shared_task(name=remains.CLEAN)
def clean() -> None:
    remains.clean_next()
