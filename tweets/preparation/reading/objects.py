"""Posts in JSON: an object or a string on each line, or a long list of them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tweets.preparation.batch import QUOTE, REPLY, REPOST, WARNING, Batch, batch_of
from tweets.preparation.errors import PreparationError
from tweets.preparation.reading.bad_lines import BadLines
from tweets.preparation.reading.lines import Lines
from tweets.preparation.reading.packed import Packed
from tweets.preparation.reading.tables import AUTHOR_NAMES
from tweets.sources.base import BadFile, storable
from tweets.sources.reading import json_stream
from tweets.sources.reading.records import field_name, is_public, text_of, traits_of
from tweets.sources.reading.shapes import NOT_POSTS, fields_of

_BATCH: Final = 20_000
#: Objects about the author in a post, and what names them.
_PEOPLE: Final = ("user", "account", "author")
_PERSON: Final = ("id_str", "id", "did", "acct", "screen_name", "username", "handle", "name")


class Objects:
    """Collect posts from JSON values."""

    def __init__(self, bad: BadLines, text_column: str, author_column: str) -> None:
        self._bad, self._text, self._author = bad, field_name(text_column), field_name(author_column)
        self._texts: list[str] = []
        self._authors: list[str] = []
        self._flags = bytearray()

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, number: int, value: Any) -> None:
        """Add a string or an object. Anything else, or an object without a text, is counted as bad."""
        fields: Mapping[str, Any] | None = {} if isinstance(value, str) else fields_of(value)
        if fields is None:
            self._bad.add(number, "neither an object nor a string", repr(value))
            return
        text = value if isinstance(value, str) else fields.get(self._text) if self._text else text_of(fields)
        if not isinstance(text, str):
            field = repr(self._text) if self._text else "a field that we know; name it with --column"
            self._bad.add(number, f"no text in {field}", json.dumps(value))
            return
        traits = traits_of(fields, text)
        self._texts.append(storable(text) if is_public(fields) else "")
        self._authors.append(storable(self._author_of(value, fields)))
        self._flags.append(
            REPOST * traits.is_repost | REPLY * traits.is_reply | QUOTE * traits.is_quote | WARNING * traits.has_warning
        )

    def batch(self) -> Batch:
        """Return what was added since the last time."""
        made = batch_of(self._texts, self._authors, bytes(self._flags))
        self._texts, self._authors, self._flags = [], [], bytearray()
        return made

    def _author_of(self, value: Any, fields: Mapping[str, Any]) -> str:
        if self._author:
            return _name(fields.get(self._author))
        for name in AUTHOR_NAMES:
            found = _name(fields.get(name))
            if found:
                return found
        inner = value.get("post", value) if isinstance(value, Mapping) else {}
        for holder in (fields, inner):
            for person in _PEOPLE:
                about = holder.get(person) if isinstance(holder, Mapping) else None
                if isinstance(about, Mapping):
                    return next((found for name in _PERSON if (found := _name(about.get(name)))), "")
        return ""


def batches_of_lines(source: Iterator[Lines], objects: Objects, bad: BadLines) -> Iterator[Batch]:
    """Yield the posts of a file with a JSON value on each line."""
    for lines in source:
        for number, line in enumerate(lines.text.split("\n"), lines.number):
            if not line or line.isspace():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                bad.add(number, "not valid JSON", line)
                continue
            objects.add(number, value)
        yield objects.batch()


def batches_of_list(source: Packed, encoding: str, objects: Objects, name: str) -> Iterator[Batch]:
    """Yield the posts of a file that is one JSON document, with a list of posts somewhere in it."""
    values = json_stream.items_of_first_list(_text(source, encoding), NOT_POSTS)
    number = 0
    try:
        for number, value in enumerate(values, 1):
            objects.add(number, value)
            if len(objects) >= _BATCH:
                yield objects.batch()
    except json_stream.NoList:
        raise PreparationError(f"{name} has no list of posts. Write an array of strings or objects.") from None
    except BadFile as error:
        raise PreparationError(f"{name}, item {number + 1}: {error}") from error
    except UnicodeError:
        raise  # the encoding is wrong, and not the JSON
    except json_stream.JSON_ERRORS as error:
        raise PreparationError(
            f"{name}: the JSON is cut off or damaged after item {number:,} ({error}). Export the file again."
        ) from error
    yield objects.batch()


def _text(source: Packed, encoding: str) -> json_stream.TextReader:
    return io.TextIOWrapper(io.BufferedReader(_Raw(source)), encoding="utf-8-sig" if encoding == "utf-8" else encoding)


class _Raw(io.RawIOBase):
    def __init__(self, source: Packed) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def flags_of(posts: Iterable[Any]) -> bytes:
    """Return the flags of posts that a source of the product has read."""
    return bytes(
        REPOST * post.is_repost | REPLY * post.is_reply | QUOTE * post.is_quote | WARNING * post.has_warning
        for post in posts
    )
