"""How often long work asks whether it should go on."""

from __future__ import annotations

import time
from collections.abc import Callable


def once_a_second(ask: Callable[[], None]) -> Callable[[], None]:
    """Return a function that calls `ask` at most about once a second. Asking may cost a look into the database."""
    asked_at = time.monotonic()

    def call() -> None:
        nonlocal asked_at
        if time.monotonic() - asked_at > 1:
            asked_at = time.monotonic()
            ask()

    return call
