"""What was made from corpora. Apps above register how to count and delete theirs, so that tweets knows no models."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from botfactory.accounts.models import User

#: Plural noun ("bots") -> how many.
Counts = Mapping[str, int]
#: The network and the handle of an account.
WhoseAccount = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Maker:
    """What to do with what was made, directly or indirectly, from corpora and from posts of an account.

    count and delete: return how much there is, or was; end_sharing: called before corpora are deleted. The last
    argument of delete and end_sharing is the person who deletes.
    """

    count: Callable[[Sequence[uuid.UUID], WhoseAccount | None], Counts]
    delete: Callable[[Sequence[uuid.UUID], WhoseAccount | None, User | None], Counts]
    end_sharing: Callable[[Sequence[uuid.UUID], User | None], None]


_makers: list[Maker] = []


def register(maker: Maker) -> None:
    """Register a maker. For AppConfig.ready."""
    _makers.append(maker)


def count(corpora: Sequence[uuid.UUID], account: WhoseAccount | None = None) -> dict[str, int]:
    """Return how much was made from the corpora and from posts of the account, whose corpora may be gone."""
    return _together([maker.count(corpora, account) for maker in _makers])


def delete(corpora: Sequence[uuid.UUID], account: WhoseAccount | None = None, *, by: User | None) -> dict[str, int]:
    """Delete everything that `count` counts, rows and files, and return how much."""
    return _together([maker.delete(corpora, account, by) for maker in reversed(_makers)])


def end_sharing(corpora: Sequence[uuid.UUID], *, by: User | None) -> None:
    """End the sharing of what was made from the corpora, which `by` is about to delete."""
    for maker in _makers:
        maker.end_sharing(corpora, by)


def _together(counts: list[Counts]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
