"""The id of the current request: in its answer, and in each line that is logged on the way."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar

HEADER = "X-Request-Id"
NONE = "-"
#: What a caller may choose: nothing that could break a log line or a header.
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{8,128}")

current: ContextVar[str] = ContextVar("request_id", default=NONE)


def chosen_or_new(text: str) -> str:
    """Return the caller's own id if it's valid, else a new one."""
    return text if _SANE.fullmatch(text) else uuid.uuid4().hex


class AddRequestId(logging.Filter):
    """Adds a `request_id` to each record; `-` outside of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Django logs an answer after all middleware, with the request in the record.
        record.request_id = getattr(getattr(record, "request", None), "request_id", current.get())
        return True
