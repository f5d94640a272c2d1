"""The kinds of personal data, and the placeholder of each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What is found. If two overlap, the first one in this order counts."""

    KEY = "key"
    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    SSN = "ssn"
    IP = "ip"
    PHONE = "phone"

    @property
    def placeholder(self) -> str:
        """Return what a text shows instead, such as "[email]"."""
        return f"[{self}]"


PLACEHOLDERS: Final = tuple(kind.placeholder for kind in Kind)
