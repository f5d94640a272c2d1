"""Cut a stream of posts into pages, and write a position between two pages as a cursor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any, TypeVar

from tweets.sources.base import Page, Post

#: In a row. A network may leave out all posts of a page, but not forever.
MAX_EMPTY_PAGES = 10

Place = TypeVar("Place")
Position = TypeVar("Position")


def in_pages(placed: Iterable[tuple[Place, Post]], size: int, cursor_at: Callable[[Place], str]) -> Iterator[Page]:
    """Yield pages of `size` posts. Each cursor is the place of the first post of the next page.

    One post is read ahead, so the last page is known to be the last and an empty page never follows a full one.
    """
    batch: list[Post] = []
    for place, post in placed:
        if len(batch) == size:
            yield Page(posts=tuple(batch), cursor=cursor_at(place))
            batch = []
        batch.append(post)
    if batch:
        yield Page(posts=tuple(batch), cursor=None)


def cursor_of(position: Any) -> str:
    """Return a position (a flat dataclass) as ASCII text."""
    return json.dumps(asdict(position))


def position_of(kind: type[Position], cursor: str) -> Position:
    """Return the position that `cursor_of` wrote. Raises ValueError for another text."""
    try:
        return kind(**json.loads(cursor))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("The cursor is not one of this kind of account.") from None
