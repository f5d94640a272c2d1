"""Posts in a .txt, .csv, .jsonl or .json file, plain or gzipped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botfactory.words.translatable import Sentence, mark
from tweets.sources.base import BadFile, Page, Post, SourceSettings, WhichColumn
from tweets.sources.reading import json_stream, tables
from tweets.sources.reading.encodings import open_text
from tweets.sources.reading.paging import in_pages
from tweets.sources.reading.records import TEXT_NAMES, field_name, post_of, text_of
from tweets.sources.reading.shapes import NOT_POSTS, fields_of
from tweets.sources.reading.streams import LONGEST_LINE, lines

_HEAD = 1 << 16  # characters that decide between the formats
_LOOKED_FOR = ", ".join(TEXT_NAMES)
_NO_LIST = mark(
    "We found no list of posts in the JSON. Upload an array of strings or objects, or an object that contains such an "
    'array, such as {"tweets": [{"text": "…"}]}.'
)


class UploadSource:
    """The posts of one file. With `plain`, each line is a post, whatever the name of the file.

    Once a record had a text, later ones without it are posts with an empty text, so that cleaning counts them.
    """

    def __init__(self, path: Path, settings: SourceSettings, *, plain: bool = False) -> None:
        self._path = path
        self._settings = settings
        self._plain = plain

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yield the posts in the order of the file. A cursor is the number of posts before it.

        Raises BadFile for a file that can't be read or has no posts, and FileTooLarge beyond the size limit.
        """
        start = int(cursor) if cursor else 0
        placed = itertools.islice(enumerate(self._posts()), start, None)
        empty = True
        for page in in_pages(placed, self._settings.page_size, str):
            empty = False
            yield page
        if empty:
            raise BadFile(
                mark("The file has no posts. Upload one with a post on each line, or a table with a text column.")
            )

    def _posts(self) -> Iterator[Post]:
        limit = self._settings.max_file_bytes
        kind = "txt" if self._plain else _format_of(self._path, limit)
        with open_text(self._path, limit, newline="" if kind == "csv" else None) as source:
            seen: set[str] = set()
            if kind == "txt":
                for number, line in enumerate(lines(source, LONGEST_LINE), 1):
                    if line.strip():
                        yield post_of({}, line.strip(), f"line-{number:09}")
            elif kind == "csv":
                plain_lines = (line.replace("\x00", "") for line in lines(source, LONGEST_LINE))
                for number, row, text in tables.rows(plain_lines, self._settings.text_column):
                    yield post_of(row, text, f"line-{number:09}", seen=seen)
            else:
                records = _json_lines(lines(source, LONGEST_LINE)) if kind == "jsonl" else self._json_items(source)
                yield from _posts_of(records, seen, field_name(self._settings.text_column))

    def _json_items(self, source: Any) -> Iterator[tuple[str, Any]]:
        number = 0
        try:
            for number, item in enumerate(json_stream.items_of_first_list(source, NOT_POSTS), 1):
                yield f"item-{number:09}", item
        except json_stream.NoList as none:
            if text_of(fields_of(none.rest) or {}) is None:
                raise BadFile(_NO_LIST) from None
            yield "item-000000001", none.rest
        except json_stream.JSON_ERRORS:
            if number == 0:
                raise BadFile(_NO_LIST) from None
            raise BadFile(
                mark("The JSON is cut off or damaged after item %(number)s. Export the file again and upload it."),
                number=number,
            ) from None


def _posts_of(records: Iterator[tuple[str, Any]], seen: set[str], text_field: str) -> Iterator[Post]:
    any_text = False
    for place, record in records:
        if isinstance(record, str):
            yield post_of({}, record, place)
            continue
        fields = fields_of(record)
        text = _text_in(fields, text_field)
        if text is None and not any_text:
            name, number = place.split("-")
            message = _without_text(is_line=name == "line", number=int(number), text_field=text_field)
            raise WhichColumn(message, tuple(fields)) if fields else BadFile(message)
        any_text = True
        yield post_of(fields or {}, text or "", place, seen=seen)


def _without_text(*, is_line: bool, number: int, text_field: str) -> Sentence:
    record = (
        Sentence(mark("Line %(number)s"), number=number)
        if is_line
        else Sentence(mark("Item %(number)s"), number=number)
    )
    if text_field:
        said = mark("%(record)s has no text in its field “%(field)s”. Enter another field.")
        return Sentence(said, record=record, field=text_field[:40])
    said = mark(
        "%(record)s has no text that we can find. Enter its field under “Text column”, or write each post as a string, "
        "or as an object with its text in one of these fields: %(fields)s."
    )
    return Sentence(said, record=record, fields=_LOOKED_FOR)


def _text_in(fields: Mapping[str, Any] | None, text_field: str) -> str | None:
    if fields is None:
        return None
    if not text_field:
        return text_of(fields)
    text = fields.get(text_field)
    return text if isinstance(text, str) else None


def _json_lines(source: Iterator[str]) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise BadFile(
                mark("Line %(number)s isn’t valid JSON. Correct or remove that line, then upload the file again."),
                number=number,
            ) from None
        yield f"line-{number:09}", record


def _format_of(path: Path, limit: int) -> str:
    """Return the format, by the name of the file or, if that doesn't help, by its beginning."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in (".txt", ".text"):
        return "txt"
    if suffix in (".csv", ".tsv"):
        return "csv"
    with open_text(path, limit) as source:
        head = source.read(_HEAD).lstrip()
    first_line = head.partition("\n")[0]
    is_json = suffix in (".json", ".jsonl", ".ndjson") or head.startswith(("{", "["))
    if not is_json:
        return "txt"
    try:
        whole = json.loads(first_line)
    except (ValueError, RecursionError):
        # A first line of its own that is no JSON: a pretty-printed document, or JSON Lines with a broken first line.
        return "jsonl" if suffix in (".jsonl", ".ndjson") and not head.startswith("[") else "json"
    if isinstance(whole, list):
        return "json"
    if isinstance(whole, dict) and suffix not in (".jsonl", ".ndjson") and "\n" not in head.rstrip():
        return (
            "json" if any(isinstance(value, list) for value in whole.values()) and text_of(whole) is None else "jsonl"
        )
    return "jsonl"
