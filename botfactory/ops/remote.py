"""Celery inspect commands with which a worker reports on its machine. Only workers import this module."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from celery.worker.control import inspect_command

from botfactory.jobs import processes
from botfactory.ops import machine


@inspect_command()
def gpus(state: Any) -> list[dict[str, Any]]:
    """Return the GPUs of the worker's machine, which may not be the machine that serves the pages."""
    return [asdict(gpu) for gpu in machine.gpus()]


@inspect_command()
def about(state: Any) -> dict[str, Any]:
    """Return the worker's queues and processes, and whether it can report GPUs, in one answer."""
    consumer = state.consumer
    pool = consumer.pool.info
    return {
        "queues": sorted(queue.name for queue in consumer.task_consumer.queues) if consumer.task_consumer else [],
        # As in Job.worker. A pool of threads has none.
        "processes": [processes.name_of(pid) for pid in pool.get("processes", [])],
        "slots": int(pool.get("max-concurrency", 0)),
        "gpus": machine.has_nvidia_smi(),
    }
