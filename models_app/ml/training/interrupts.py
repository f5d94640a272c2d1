"""SIGINT and SIGTERM during long work: cancel it between steps, never in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .events import Control


@contextmanager
def interruptible(control: Control) -> Iterator[Control]:
    """Yield a control that answers like `control` until a signal arrives, and "cancel" from then on.

    Outside the main thread, where signals can't be handled, it's `control` itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield control
        return
    received = threading.Event()
    previous = {number: signal.signal(number, lambda *_: received.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: "cancel" if received.is_set() else control()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
