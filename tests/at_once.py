"""Run several threads at the same moment, like processes of the product."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

Given = TypeVar("Given")


def at_once(count: int, work: Callable[[], Given]) -> list[Given]:
    """Return the results of `work` in `count` threads that start together. An error in one is raised here."""
    barrier = threading.Barrier(count)

    def begin() -> Given:
        barrier.wait()
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        begun = [pool.submit(begin) for _ in range(count)]
    return [each.result() for each in begun]
