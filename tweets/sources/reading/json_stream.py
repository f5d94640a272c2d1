"""Read JSON one item of a long list at a time, so that no hostile file fills the memory or takes forever."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Container, Iterator
from typing import Any, Protocol

from botfactory.words.translatable import mark
from tweets.sources.base import BadFile
from tweets.sources.reading.streams import Readable

# What malformed documents raise. Numbers of over 4,300 digits and bytes that aren't UTF-8 are ValueErrors too.
JSON_ERRORS = (ValueError,)

_CHUNK = 1 << 18  # characters
_LARGEST_ITEM = 4_000_000  # characters, about a thousand times a real post with all its fields
_SPACE = re.compile(r"[ \t\r\n]*")
_END = re.compile(r"[ \t\r\n;]*")  # JavaScript ends with a semicolon, JSON does not
_BORDER = 32  # characters; in real documents, no escape, number or literal is longer
_decode = json.JSONDecoder().raw_decode


class TextReader(Protocol):
    """What this module needs of a text file."""

    def read(self, size: int = -1, /) -> str: ...


class NoList(ValueError):
    """The document has no list of strings or objects. `rest` is its content, if it is an object."""

    def __init__(self, rest: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.rest = rest or {}


class Decoded:
    """Read bytes in UTF-8 as text. Raises UnicodeDecodeError for others."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def read(self, size: int = -1, /) -> str:
        while chunk := self._source.read(size):
            text = self._decoder.decode(chunk)
            if text:  # a few bytes may be only the beginning of a character
                return text
        return self._decoder.decode(b"", True)


def items(source: TextReader) -> Iterator[Any]:
    """Yield the items of a document that is an array.

    Raises one of `JSON_ERRORS` for malformed JSON, and BadFile if an item is too large or nested too deeply.
    """
    document = _Document(source)
    document.expect("[")
    yield from document.items()
    document.require_end()


def items_of_first_list(source: TextReader, passed_over: Container[str] = ()) -> Iterator[Any]:
    """Yield the items of the first list of strings or objects: the document itself, or under a key of its object.

    Lists under a key in `passed_over`, or one that begins with @ (a context of JSON-LD), don't count. Raises NoList
    before the first item if there is no list, else like `items`.
    """
    document = _Document(source)
    if document.take("["):
        if document.peek() not in ("{", '"'):
            raise NoList
        yield from document.items()
    elif document.take("{"):
        found = False
        rest: dict[str, Any] = {}
        for key in document.each_key():
            if not document.take("["):
                value = document.value()
                if not found and document.size <= _LARGEST_ITEM:
                    rest[key] = value
            elif not found and key not in passed_over and key[:1] != "@" and document.peek() in ("{", '"'):
                found = True
                yield from document.items()
            else:
                for _ in document.items():
                    pass
        if not found:
            document.require_end()
            raise NoList(rest)
    else:
        raise NoList
    document.require_end()


class _Document:
    """A position in a document that is partly in memory."""

    def __init__(self, source: TextReader) -> None:
        self._source = source
        self._text = ""
        self._at = 0
        self.size = 0  # characters read so far

    def peek(self) -> str:
        """Return the next character that isn't a space, "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def take(self, character: str) -> bool:
        """Skip the character if it is the next one, and return whether it was."""
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def expect(self, character: str) -> None:
        if not self.take(character):
            raise ValueError(f"Expected {character}")

    def items(self) -> Iterator[Any]:
        """Yield the items of an array whose opening bracket has been read."""
        if self.take("]"):
            return
        while True:
            yield self.value()
            if self.take("]"):
                return
            self.expect(",")

    def each_key(self) -> Iterator[str]:
        """Yield the keys of an object whose opening brace has been read. Read each value before the next key."""
        if self.take("}"):
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise ValueError("Expected a key")
            self.expect(":")
            yield key
            if self.take("}"):
                return
            self.expect(",")

    def value(self) -> Any:
        """Return the next value."""
        self.peek()
        while True:
            error: ValueError | None = None
            end = 0
            try:
                value, end = _decode(self._text, self._at)
            except json.JSONDecodeError as malformed:
                if not _may_be_cut(malformed):
                    raise
                error = malformed
            except RecursionError:
                raise BadFile(
                    mark("The JSON is nested too deeply to be a list of posts. Upload an array of strings or objects.")
                ) from None
            size = (end or len(self._text)) - self._at
            if size > _LARGEST_ITEM:
                raise BadFile(mark("One post in the JSON is larger than 4 MB. Remove it, then upload the file again."))
            # A number at the end of the text in memory may continue.
            if error is None and (end < len(self._text) or not self._read_on()):
                self._at += size
                return value
            if error is not None and not self._read_on():
                raise error

    def require_end(self) -> None:
        """Return if only spaces follow, else raise ValueError."""
        while True:
            end = _END.match(self._text, self._at)
            self._at = end.end() if end else self._at
            if self._at < len(self._text):
                raise ValueError("Something follows the end")
            if not self._read_on():
                return

    def _read_on(self) -> bool:
        """Read more of the document, and drop what has been used. Return False at the end."""
        # Double the length of an unfinished item, so that long items aren't scanned again and again.
        chunk = self._source.read(max(_CHUNK, len(self._text) - self._at))
        self._text = self._text[self._at :] + chunk
        self._at = 0
        self.size += len(chunk)
        return bool(chunk)


def _may_be_cut(error: json.JSONDecodeError) -> bool:
    """Return whether the error may be due to the end of the text in memory, not to the document."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc) - _BORDER
