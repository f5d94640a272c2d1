"""What a worker tells of its own machine when it is asked, beside what Celery tells. Imported by workers only."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from celery.worker.control import inspect_command

from botfactory.ops import machine


@inspect_command()
def gpus(state: Any) -> list[dict[str, Any]]:
    """The GPUs that the worker sees, which may be none of the machine that serves the pages."""
    return [asdict(gpu) for gpu in machine.gpus()]


@inspect_command()
def about(state: Any) -> dict[str, Any]:
    """What the worker listens to, by which processes, and whether it can be asked for GPUs: one question for all."""
    consumer = state.consumer
    pool = consumer.pool.info
    return {
        "queues": sorted(queue.name for queue in consumer.task_consumer.queues) if consumer.task_consumer else [],
        "processes": list(pool.get("processes", [])),  # a pool of threads has none
        "slots": int(pool.get("max-concurrency", 0)),
        "gpus": machine.can_tell_of_gpus(),
    }
