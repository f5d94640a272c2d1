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
