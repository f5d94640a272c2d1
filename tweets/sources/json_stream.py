"""JSON from strangers, streamed: no hostile file may crash the C parser behind ijson or fill the memory with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import ijson

from tweets.sources.base import BadFile
from tweets.sources.streams import CHUNK, Readable

# What a malformed document raises out of ijson.
JSON_ERRORS = (ijson.JSONError, ValueError, ArithmeticError)

_DEEPEST = 64  # ijson keeps a path for each open level: 100,000 levels take all the memory there is
_LARGEST_ITEM = 4_000_000  # bytes, about a thousand times a real post with all its fields

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.S
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LOW = re.compile(rb"\\u[dD][c-fC-F]")
_STRING_END = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.S)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.S)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def items(source: Readable, prefix: str) -> Iterator[Any]:
    """Yields the items at `prefix` ("item", "tweets.item") of the JSON document, one in memory at a time.

    Raises one of `JSON_ERRORS` at malformed JSON, BadFile at what is nested or large beyond all reason.
    """
    # use_float: without it the parser dies of a segmentation fault at an integer of over 4,300 digits.
    yield from ijson.items(_Safe(source, outside=prefix.count(".") + 1), prefix, use_float=True)


def events(source: Readable) -> Iterator[tuple[str, str, Any]]:
    """Yields (prefix, event, value) as ijson.parse does. Raises like `items`."""
    yield from ijson.parse(_Safe(source, outside=_DEEPEST), use_float=True)


class _Safe:
    """Reads like `source`, with two things done that the C parser does wrong.

    JSON escapes of lone surrogates ("\\ud83d" without its other half) are left out: the parser turns them into wrong
    characters or fails at the whole file. Too many open brackets, or an item deeper than the `outside` brackets around
    all items that never ends, raise BadFile before the memory is full.
    """

    def __init__(self, source: Readable, outside: int) -> None:
        self._source = source
        self._outside = outside
        self._carry = b""
        self._in_string = False
        self._depth = 0
        self._item_bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        if size == 0:  # ijson asks so to learn whether bytes or text come
            return b""
        while True:
            chunk = self._source.read(CHUNK)
            data = self._carry + chunk
            cut = len(data) if not chunk else _escape_boundary(data)
            self._carry = data[cut:]
            data = data[:cut]
            self._guard(data)
            if _SURROGATE.search(data):
                data = _ESCAPE.sub(_keep_whole, data)
            if data or not chunk:  # nothing left of a chunk must not look like the end
                return data

    def _guard(self, data: bytes) -> None:
        size = len(data)
        if self._in_string:
            end = _STRING_END.match(data)
            if end is None:
                return self._grow(size)
            data = data[end.end() :]
        data = _STRING.sub(b"", data)
        opening = data.find(b'"')
        self._in_string = opening >= 0
        brackets = data[: opening if opening >= 0 else None].translate(None, _NO_BRACKETS)
        levels = 0
        while brackets and levels <= _DEEPEST:  # each round takes the innermost pairs away
            fewer = brackets.replace(b"[]", b"").replace(b"{}", b"")
            if fewer == brackets:
                break
            brackets, levels = fewer, levels + 1
        closed = brackets.count(b"]") + brackets.count(b"}")
        lowest = max(0, self._depth - closed)
        self._depth = lowest + len(brackets) - closed
        if max(levels, self._depth) > _DEEPEST:
            raise BadFile("The JSON is nested deeper than any list of posts. Upload an array of strings or of objects.")
        self._item_bytes = 0 if lowest <= self._outside else self._item_bytes
        self._grow(size if lowest > self._outside or self._in_string else 0)

    def _grow(self, size: int) -> None:
        self._item_bytes += size
        if self._item_bytes > _LARGEST_ITEM:
            raise BadFile(
                "One post in the JSON is larger than 4 MB, which no post is. Remove it and upload the file again."
            )


def _keep_whole(escape: re.Match[bytes]) -> bytes:
    return b"" if escape.group(1) else escape.group()


def _escape_boundary(data: bytes) -> int:
    """A place near the end of `data` where no escape, nor pair of escapes, is open."""
    cut = data.find(b"\\", max(0, len(data) - 12))
    if cut < 0:
        return len(data)
    start = _run_start(data, cut)
    if _LOW.match(data, cut) and data[start - 6 : start - 4] == b"\\u":
        cut, start = start - 6, _run_start(data, start - 6)  # the other half of the pair has to come along
    # Each two backslashes of a long run are one escape, so any even place in it is a boundary.
    return start if cut - start < 64 else start + (cut - start) // 2 * 2 - 2


def _run_start(data: bytes, at: int) -> int:
    return len(data[:at].rstrip(b"\\"))
