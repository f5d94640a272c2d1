"""No secret reaches a log: invitations, links for new passwords, share links, tokens, passwords in addresses."""

from __future__ import annotations

import logging
import re
from typing import Final

MASK: Final = "…"
_MASKS: Final = [
    # user:password@ of an address. The password may hold an @ itself.
    (re.compile(r"(://)[^\s/@:\"']*:[^\s/\"']+@"), rf"\1{MASK}@"),
    # What follows the question mark of a path or an address.
    (re.compile(r"((?:/|://)[^\s?\"'<>]*\?)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(/shared/|/confirm-email/|/password/reset/key/)(?!done/)[^\s/?\"'<>]+"), rf"\1{MASK}"),
    # Tokens of ours, and secrets of webhooks.
    (re.compile(r"\b(bf|whsec)_[0-9A-Za-z_+/=-]{12,}"), rf"\1_{MASK}"),
]


def masked(text: str) -> str:
    """Return the text with every secret that an address can hold left out."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


class Formatter(logging.Formatter):
    """Python's own, with secrets masked, those in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))
