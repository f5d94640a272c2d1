"""Why a request isn't answered as it asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status, our code, headers, and a message in English, which is translated where it's told."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
