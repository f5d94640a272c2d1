"""A place among the posts of a request: the drafts for it, and the one that it gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .faults import fault_of
from .sense import Draft, judged
from .topic import Topic

#: The most tries for a post that something is wrong with.
TRIES: Final = 10
#: The drafts of a place are drawn together; if all have faults, so often in all.
ROUNDS: Final = 2


@dataclass(slots=True)
class Place:
    """What the post is to be about, and what has been drawn for it.

    is_foreign: tells a post in another language than the person's; drafts: those that may be shown; tries: the others,
    by the reason for their rejection; running: those that are being drawn.
    """

    topic: Topic | None = None
    is_foreign: Callable[[str], bool] | None = None
    drafts: list[Draft] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    running: int = 0
    rounds: int = 0

    def begin(self, drafts: int) -> None:
        """Begin a round of `drafts` drafts."""
        self.running = drafts
        self.rounds += 1

    def is_decided(self, best_of: int) -> bool:
        """Return whether the place can have its post. A first draft can't be chosen, so its faults don't matter."""
        if self.running or not self.drafts:
            return False
        return best_of == 1 or self.rounds >= ROUNDS or any(self._is_good(draft.post) for draft in self.drafts)

    def may_try(self, unfinished: int) -> bool:
        """Return whether another round may help; `unfinished`: the most drafts that are too long."""
        others = self.tries.total() - self.tries["unfinished"]
        return self.tries["unfinished"] < unfinished and others < TRIES

    def best(self) -> Draft:
        """Return the draft that makes most sense: of those without a fault if there are any, then of those about the
        topic."""
        if len(self.drafts) == 1:
            return self.drafts[0]
        return max(
            self.drafts, key=lambda draft: (not self._has_fault(draft.post), self._has_topic(draft.post), judged(draft))
        )

    def _is_good(self, post: str) -> bool:
        return not self._has_fault(post) and self._has_topic(post)

    def _has_fault(self, post: str) -> bool:
        return fault_of(post) is not None or (self.is_foreign is not None and self.is_foreign(post))

    def _has_topic(self, post: str) -> bool:
        return self.topic is None or self.topic.is_of(post)
