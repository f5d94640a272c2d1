"""What came of a request for posts: the posts, and what else was drawn and why it was refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Refused:
    """How many posts were drawn and not given out, by reason; `copies` is None when nothing was there to compare with.

    copies: too close to a post that was learned from; banned: with a word of the ban list; unfinished: not at its end
    mark within the limit; empty: nothing but the prompt and space; house: with a phrase that the house bans.
    """

    copies: int | None = None
    banned: int = 0
    unfinished: int = 0
    empty: int = 0
    house: int = 0

    @property
    def total(self) -> int:
        return (self.copies or 0) + self.banned + self.unfinished + self.empty + self.house

    def as_dict(self) -> dict[str, int | None]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**values)

    def reasons(self, max_characters: int, *, has_prompt: bool = False) -> list[str]:
        """Return for each reason that occurred how often it did, in words."""
        found = [
            (self.copies, "too close to a post that was learned"),
            (self.banned, "with a banned word"),
            (self.unfinished, f"not at an end within {max_characters:,} character{'' if max_characters == 1 else 's'}"),
            (self.empty, "with nothing after the prompt" if has_prompt else "empty"),
            (self.house, "with a phrase that is banned here"),
        ]
        return [f"{count:,} {reason}" for count, reason in found if count]


@dataclass(frozen=True, slots=True)
class Writing:
    """Posts, and how many were refused on the way to them."""

    posts: list[str]
    refused: Refused
