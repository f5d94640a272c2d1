"""Processes that share the work, and give it back in the order in which it was given."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, Final, Self, TypeVar

from tweets.preparation.errors import PreparationError

Result = TypeVar("Result")
MAX_PROCESSES: Final = 8
#: Tasks that wait for each process. More would only need memory.
_AHEAD: Final = 2
_RARELY: Final = (200_000, 50, 50)


def usual_processes() -> int:
    """Return the number of cores, within limits."""
    return max(1, min(os.cpu_count() or 1, MAX_PROCESSES))


def _follow() -> None:
    """Leave Ctrl-C to the process that started this one, and end when it does, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    starter = parent_process()
    assert starter is not None

    def end() -> None:
        starter.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
    gc.freeze()
    gc.set_threshold(*_RARELY)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for circles of objects less often: posts form none, and there are many of them."""
    usual = gc.get_threshold()
    gc.set_threshold(*_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class Crew:
    """One process, which is this one, or several others."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        # Spawned, because this process may have threads.
        self._pool = (
            ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_follow)
            if processes > 1
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, work: Callable[..., Result], tasks: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
        """Yield the result of each task, in order. At any time, only a few of them are in memory."""
        if self._pool is None:
            for task in tasks:
                yield work(*task)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(self._pool.submit(work, *task))
                if len(waiting) >= self._processes * (1 + _AHEAD):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise PreparationError(
                "A process of the preparation was killed, probably because the memory was full. Free some memory, or "
                "use --processes 1, and run it again."
            ) from error
