"""Keep secrets out of logs: invitations, reset links, share links, tokens, passwords in addresses."""

from __future__ import annotations

import logging
import re
from typing import Final

MASK: Final = "…"
_MASKS: Final = [
    # user:password@ in an address. The password may contain an @ itself.
    (re.compile(r"(://)[^\s/@:\"']*:[^\s/\"']+@"), rf"\1{MASK}@"),
    # The query string of a path or an address.
    (re.compile(r"((?:/|://)[^\s?\"'<>]*\?)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(/shared/|/confirm-email/|/password/reset/key/)(?!done/)[^\s/?\"'<>]+"), rf"\1{MASK}"),
    # Our API tokens, and secrets of webhooks.
    (re.compile(r"\b(bf|whsec)_[0-9A-Za-z_+/=-]{12,}"), rf"\1_{MASK}"),
]


def masked(text: str) -> str:
    """Return the text with every secret in it masked."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


class Formatter(logging.Formatter):
    """Python's formatter, except that it masks secrets, including those in tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))
