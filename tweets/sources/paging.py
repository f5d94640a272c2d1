"""Cuts a stream of posts into pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tweets.sources.base import Page, Post

Place = TypeVar("Place")


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
