"""Restore links that a network shows shortened, so that cleaning recognizes them."""

from __future__ import annotations

import re

_BEFORE = re.compile(r"(?:https?://)?(?:www\.)?", re.IGNORECASE)
_CUT = re.compile(r"(?:…|\.\.\.)\s*\Z")


def whole_link(shown: str, address: str) -> str:
    """Return the address if `shown` is its shortened form ("example.com/a-lo..."), else `shown`."""
    begin = _BEFORE.sub("", shown.strip(), count=1)
    start = _CUT.sub("", begin).rstrip("/").casefold()
    target = _BEFORE.sub("", address, count=1).casefold()
    is_link = address.startswith(("http://", "https://")) and "." in start and " " not in start
    return address if is_link and target.startswith(start) else shown
