from __future__ import annotations

import sys
from threading import Thread
from typing import Any

from celery import current_app, shared_task
from celery.signals import worker_init, worker_process_init

from botfactory.jobs import kinds, mails, worker


@shared_task(name="botfactory.jobs.tasks.run_next")
def run_next(queue: str) -> None:
    worker.run_next(queue)


@shared_task(name=mails.SEND)
def send_mails() -> None:
    mails.send_due()


@worker_init.connect
def load_before_forking(sender: Any, **kwargs: Any) -> None:
    """Load the code of this worker's jobs once for all its processes. On macOS, TensorFlow doesn't survive a fork."""
    if sys.platform == "linux":
        kinds.load(set(sender.app.amqp.queues.consume_from))


@worker_process_init.connect
def use_the_wait(**kwargs: Any) -> None:
    """Prepare for jobs while the process waits for them."""
    queues = set(current_app.amqp.queues.consume_from)
    # A daemon: a worker that ends waits only for its jobs.
    Thread(target=kinds.prepare, args=[queues], name="prepare", daemon=True).start()
