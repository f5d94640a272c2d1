"""Kept posts as a file: plain text, a table or lines of JSON. Each form has the label that belongs to the posts."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet
from django.utils.text import slugify

from botfactory.files import chunks
from botfactory.web.spreadsheets import safe, safe_throughout
from models_app.bots.rows import TrainedModel
from models_app.writing.keeping.rows import KeptPost

CHUNK: Final = 500
_COLUMNS: Final = ("text", "edited", "bot", "label", "kept_at")


@dataclass(frozen=True, slots=True)
class Format:
    """How posts become a file. `piece`: makes bytes of some rows; `last` is the row before them, if there is one."""

    content_type: str
    first: str
    piece: Callable[[list[KeptPost], KeptPost | None], str]


def file_name(model: TrainedModel | None, name: str) -> str:
    """Return the name of the file in the format of this name."""
    stem = slugify(model.name) if model is not None else ""
    return f"{stem or 'bot'}-kept.{name}"


def stream(kept: QuerySet[KeptPost], form: Format) -> AsyncIterator[bytes]:
    """Return the file in pieces, which are read on demand."""
    return chunks.stream(pieces(kept, form))


def pieces(kept: QuerySet[KeptPost], form: Format) -> Iterator[bytes]:
    """Yield the file: bot by bot, the posts of each in the order in which they were kept."""
    if form.first:
        yield form.first.encode()
    ordered = kept.order_by("model_id", "created_at", "pk")
    last: KeptPost | None = None
    while rows := list(_after(ordered, last)[:CHUNK]):
        yield form.piece(rows, last).encode()
        last = rows[-1]


def _after(ordered: QuerySet[KeptPost], last: KeptPost | None) -> QuerySet[KeptPost]:
    if last is None:
        return ordered
    later = ordered.filter(model__gt=last.model_id)
    of_this_bot = ordered.filter(model=last.model_id)
    newer = of_this_bot.filter(created_at__gt=last.created_at)
    return later | newer | of_this_bot.filter(created_at=last.created_at, pk__gt=last.pk)


def _values(row: KeptPost) -> dict[str, str | bool]:
    return {
        "text": row.text,
        "edited": row.is_edited,
        "bot": row.model.name,
        "label": row.model.parody_label,
        "kept_at": row.created_at.isoformat(),
    }


def _text(rows: list[KeptPost], last: KeptPost | None) -> str:
    """Return the posts with a blank line between them. The label is above the first post of each bot."""
    found = []
    for row in rows:
        if last is None or last.model_id != row.model_id:
            found.append(f"[{row.model.parody_label}]")
        found.append(row.text)
        last = row
    return "".join(f"{entry}\n\n" for entry in found)


def _table(rows: list[KeptPost], last: KeptPost | None) -> str:
    return _csv([_safe_row(_values(row)) for row in rows])


def _lines(rows: list[KeptPost], last: KeptPost | None) -> str:
    return "".join(chunks.line_of(_values(row)) for row in rows)


def _csv(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(rows)
    return buffer.getvalue()


def _safe_row(values: dict[str, str | bool]) -> list[str]:
    cells = [("yes" if value else "no") if isinstance(value, bool) else value for value in values.values()]
    # A post comes first and in quotes, so nothing in it can begin another cell.
    return [safe(cells[0]), *map(safe_throughout, cells[1:])]


#: By the last part of the file's name. Spreadsheets recognise UTF-8 by the mark at the beginning.
FORMATS: Final = {
    "txt": Format("text/plain; charset=utf-8", "", _text),
    "csv": Format("text/csv; charset=utf-8", "\ufeff" + _csv([list(_COLUMNS)]), _table),
    "jsonl": Format("application/jsonl; charset=utf-8", "", _lines),
}
