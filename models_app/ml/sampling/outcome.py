"""The outcome of a request for posts: the posts, and the number of rejected ones by reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Refused:
    """The number of rejected posts by reason.

    copies: too close to a learned post, None if there was nothing to compare with; banned: contains a word on the ban
    list; unfinished: no end mark within the limit; empty: only the prompt and spaces; house: contains a phrase banned
    on this installation; personal: contains personal data that the prompt doesn't; links, mentions: contains a
    link or an @name that the prompt doesn't.
    """

    copies: int | None = None
    banned: int = 0
    unfinished: int = 0
    empty: int = 0
    house: int = 0
    personal: int = 0
    links: int = 0
    mentions: int = 0

    @property
    def total(self) -> int:
        return sum(number or 0 for number in self.as_dict().values())

    def as_dict(self) -> dict[str, int | None]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Writing:
    """Generated posts, and how many others were rejected.

    sense: how much sense readers would find in them, on average, from 0 to 3; None if they weren't chosen from drafts.
    measured: what is known of each of them (`sense.measured`).
    """

    posts: list[str]
    refused: Refused
    sense: float | None = None
    measured: list[dict[str, float]] = field(default_factory=list)
