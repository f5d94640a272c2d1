"""Several threads that do the same at the same moment, as processes of the product do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

Given = TypeVar("Given")


def at_once(count: int, work: Callable[[], Given]) -> list[Given]:
    """Returns what `work` gave to each of `count` threads, which began together; an error of one is raised here."""
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
