"""Many rows, lines or bytes, some at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from channels.db import database_sync_to_async
from django.db.models import Model, QuerySet

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)
CHUNK: Final = 500


def chunks_of(rows: QuerySet[Row], size: int = CHUNK) -> Iterator[list[Row]]:
    """Yield all rows by primary key, some at a time. Each chunk is a query of its own, so nothing stays open."""
    ordered = rows.order_by("pk")
    found = list(ordered[:size])
    while found:
        yield found
        found = list(ordered.filter(pk__gt=found[-1].pk)[:size])


def batches(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Yield all items, `size` at a time."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def line_of(values: Mapping[str, Any]) -> str:
    """Return the values as a line of JSON."""
    return json.dumps(values, ensure_ascii=False) + "\n"


async def stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces for a StreamingHttpResponse, each made on demand and outside the event loop.

    While the reader takes a piece, which may last, no connection to the database is held.
    """
    while (piece := await database_sync_to_async(_following)(pieces)) is not None:
        yield piece


def _following(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
