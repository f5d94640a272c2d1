"""The id of the request that is being answered: in each answer, and in each line that is logged on the way."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar

HEADER = "X-Request-Id"
NONE = "-"
#: What a caller may choose: nothing that could break a line of a log or a header.
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{8,128}")

current: ContextVar[str] = ContextVar("request_id", default=NONE)


def chosen_or_new(text: str) -> str:
    """The caller's own id where it is sane, else a new one."""
    return text if _SANE.fullmatch(text) else uuid.uuid4().hex


class AddRequestId(logging.Filter):
    """Each record has a `request_id`; `-` outside of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        # What Django logs of an answer comes after all middleware, with the request beside it.
        record.request_id = getattr(getattr(record, "request", None), "request_id", current.get())
        return True
