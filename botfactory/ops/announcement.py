"""Tell the person in the terminal when the pages answer."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

#: Seconds after which the person is told that the pages don't answer yet.
PATIENCE = 60.0
#: Seconds for one try, in which the supervisor can do nothing else.
TIMEOUT = 1.0


@dataclass(slots=True)
class Announcement:
    """What to say once the pages answer, and what to say if that takes long. Each is said once."""

    host: str
    port: int
    ready: str
    late: str
    say: Callable[[str], None]
    started: float = field(default_factory=time.monotonic, init=False)
    is_made: bool = field(default=False, init=False)
    was_late: bool = field(default=False, init=False)

    def step(self) -> None:
        """Try once whether the pages answer, unless they already have."""
        if self.is_made:
            return
        if self._is_answered():
            self.is_made = True
            self.say(self.ready)
        elif not self.was_late and time.monotonic() - self.started >= PATIENCE:
            self.was_late = True
            self.say(self.late)

    def _is_answered(self) -> bool:
        # Unlike urllib, this doesn't ask a proxy that the environment names.
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)) as connection:
            try:
                connection.request("GET", "/healthz")
                connection.getresponse()
            except (OSError, http.client.HTTPException):
                return False
        return True
