"""The Celery application. Messages are only a doorbell; the database is the truth (docs/architecture.md)."""

from __future__ import annotations

import os
from signal import SIGKILL
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")

from django.conf import settings

from botfactory.outages.parent_death import die_with_parent
from botfactory.outages.taken_messages import TakenMessages

app = Celery("botfactory")
Channel.QoS = TakenMessages
#: Seconds. At the limit, a job ends with an error (`jobs/worker.py`). If it doesn't react, its process is killed after
#: another tenth of that time. Only later than that does the broker send its message again.
time_limit = settings.JOB_TIME_LIMIT_MINUTES * 60
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue="default",
    imports=["botfactory.ops.remote"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=time_limit,
    task_time_limit=int(time_limit * 1.1),
    # A job continues while the broker is down. Its message may arrive twice, so claim() decides.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": int(time_limit * 1.2),
        "global_keyprefix": "botfactory.",
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    worker_hijack_root_logger=False,
)
app.autodiscover_tasks()


def publishing() -> dict[str, Any]:
    """Return transport options for sending while a person waits. Consumers wait for messages without a limit."""
    return {**settings.BROKER_OPTIONS, "max_retries": 0}


@setup_logging.connect
def configure_logging(**kwargs: Any) -> None:
    """Use Django's LOGGING in workers. Otherwise Celery would install its own handlers."""
    from logging.config import dictConfig

    dictConfig(settings.LOGGING)


@worker_process_init.connect
def start_child(**kwargs: Any) -> None:
    """End a forked child with its parent, and have it open its own database connections."""
    from django.db import connections

    die_with_parent(SIGKILL)
    for connection in connections.all(initialized_only=True):
        connection.inc_thread_sharing()
        connection.close()
