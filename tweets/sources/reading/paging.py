"""Pages: how a stream of posts is cut into them, and how a place between two of them is written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any, TypeVar

from tweets.sources.base import Page, Post

#: In a row: a network may leave out all of a page, but not for ever.
MAX_EMPTY_PAGES = 10

Place = TypeVar("Place")
Position = TypeVar("Position")


def in_pages(placed: Iterable[tuple[Place, Post]], size: int, cursor_at: Callable[[Place], str]) -> Iterator[Page]:
    """Yields pages of `size` posts. Each cursor names the place of the first post of the next page.

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
    """A position (a flat dataclass) as text in ASCII that any database keeps."""
    return json.dumps(asdict(position))


def position_of(kind: type[Position], cursor: str) -> Position:
    """The position of that kind which `cursor_of` wrote; ValueError for another text."""
    try:
        return kind(**json.loads(cursor))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("The cursor is not one of this kind of account.") from None
