from __future__ import annotations

from celery import shared_task

from botfactory.webhooks import delivery, mails


@shared_task(name="botfactory.webhooks.tasks.deliver")
def deliver() -> None:
    delivery.deliver_next()


@shared_task(name=mails.SEND)
def send_mails() -> None:
    mails.send_due()
