"""SIGINT and SIGTERM while something long goes on: it is asked to end, and never cut in the middle of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .events import Control


@contextmanager
def interruptible(control: Control) -> Iterator[Control]:
    """Yield a control that answers "cancel" once one of the signals has come, and before that as `control` does.

    In a thread other than the main one, where no signal can be heard, it is `control` itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield control
        return
    came = threading.Event()
    before = {number: signal.signal(number, lambda *_: came.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: "cancel" if came.is_set() else control()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
