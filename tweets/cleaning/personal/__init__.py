"""Find personal data in texts: email addresses, phone numbers, account and card numbers, IP addresses, keys. Pure."""

from __future__ import annotations

from tweets.cleaning.personal.finder import Found, adds, find, mask
from tweets.cleaning.personal.kinds import PLACEHOLDERS, Kind

__all__ = ["PLACEHOLDERS", "Found", "Kind", "adds", "find", "mask"]
