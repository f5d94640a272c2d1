"""Keep logs free of secrets, and short: strangers choose a part of what is logged.

Secrets are invitations, reset links, share links, tokens, and passwords in addresses.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Final

MASK: Final = "…"
#: Characters of a record's line, and of the whole record with its traceback.
MAX_LINE: Final = 2_000
MAX_RECORD: Final = 20_000
_SELDOM_SECONDS: Final = 60
#: Each takes linear time, whatever the text: Python runs nothing else meanwhile.
_MASKS: Final = [
    # user:password@ in an address. The password may contain an @ itself.
    (re.compile(r"(://)[^\s/@:\"']*:[^\s/\"']+@"), rf"\1{MASK}@"),
    # The query string of a path or an address. It's only looked for from the beginning of a word, because a search from
    # each of many slashes would take quadratic time.
    (re.compile(r"(?<![^\s?\"'<>])([^\s?\"'<>/]*/[^\s?\"'<>]*\?)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(/shared/|/confirm-email/|/password/reset/key/)(?!done/)[^\s/?\"'<>]+"), rf"\1{MASK}"),
    # Our API tokens, and secrets of webhooks.
    (re.compile(r"\b(bf|whsec)_[0-9A-Za-z_+/=-]{12,}"), rf"\1_{MASK}"),
]


def masked(text: str) -> str:
    """Return the text with every secret in it masked."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def shortened(text: str, longest: int) -> str:
    """Return the text; if it's longer than `longest`, its beginning and end, with the number of characters between."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} [left out here: {len(text) - 2 * half:,}] {text[-half:]}"


class Formatter(logging.Formatter):
    """Python's formatter, except that it masks secrets, including those in tracebacks, and shortens long records."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        # Masked first, because a half secret may not be recognized.
        return shortened(masked(super().formatMessage(record)), MAX_LINE)

    def format(self, record: logging.LogRecord) -> str:
        return shortened(masked(super().format(record)), MAX_RECORD)


class WithoutTraceback(logging.Filter):
    """Removes the traceback of each record, for errors whose message says everything."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


class Seldom(logging.Filter):
    """Passes a record that equals the one before only after a minute, for what would fill the log while it lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.before = ""
        self.until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        text, now = record.getMessage(), time.monotonic()
        if text == self.before and now < self.until:
            return False
        self.before, self.until = text, now + _SELDOM_SECONDS
        return True
