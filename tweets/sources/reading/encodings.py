"""The encoding of a text file that a person brings, told from its bytes."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path

from tweets.sources.base import BadFile
from tweets.sources.reading.streams import CHUNK, open_bytes

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 1 << 15  # bytes in lines with more than ASCII, from which an older encoding is told
# Bytes that no text holds, whatever its encoding (UTF-16 and UTF-32 apart).
_BINARY = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
_TURKISH = frozenset({"cp1254", "iso8859_9"})
_SYMBOL_IN_A_WORD = re.compile(r"[^\W\d_][\xa1-\xbf\xd7\xf7\ufffd](?=[^\W\d_])|\b[\xa3\xaf\xbf][^\W\d_]")


def find_encoding(path: Path, limit: int) -> str:
    """The encoding to read the whole file with, errors replaced.

    A byte order mark decides; else UTF-8 if all of it is UTF-8, or most (a few torn characters must not turn every
    emoji into rubbish, and other encodings hardly ever look like it); else the older encoding that makes words of it,
    or cp1252, which Excel on Windows writes, where none stands out. Raises BadFile for what is not text.
    """
    with open_bytes(path, limit) as source:
        head = source.peek(CHUNK)[:CHUNK]
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                return encoding
        if wide := _wide(head):
            return wide
        decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        wrong = foreign = binary = size = 0
        sample = b""
        for chunk in iter(lambda: source.read(CHUNK), b""):
            text = decoder.decode(chunk)
            wrong += text.count("\ufffd")
            foreign += len(text) - len(text.encode("ascii", "ignore"))
            binary += len(chunk) - len(chunk.translate(None, _BINARY))
            size += len(chunk)
            if len(sample) < _SAMPLE and not chunk.isascii():
                lines = chunk.split(b"\n")
                whole = lines[1:-1] if len(lines) > 2 and sample else lines
                sample += b"\n".join(line for line in whole if not line.isascii())[:_SAMPLE] + b"\n"
        # What is torn at the very end is a sign only where there is no other.
        wrong += len(decoder.decode(b"", True)) if foreign == wrong else 0
    if binary * 100 > size:
        raise BadFile("The file does not look like text. Upload posts as .txt, .csv, .jsonl or .json in UTF-8.")
    return _older(sample) if wrong > foreign - wrong else "utf-8-sig"


def open_text(path: Path, limit: int, newline: str | None = None) -> io.TextIOWrapper:
    """The content of the file as text; see `find_encoding`."""
    encoding = find_encoding(path, limit)
    return io.TextIOWrapper(open_bytes(path, limit), encoding=encoding, errors="replace", newline=newline)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark, where every other byte of a text that is mostly Latin is zero."""
    half = len(head) // 2
    if half < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * half and even < 0.02 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.02 * half else None


def _older(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # late: only few files are that old

    found = from_bytes(sample).best()
    encoding = found.encoding if found is not None else "cp1252"
    if encoding in _TURKISH:
        return "cp1254"
    text = sample.decode(encoding, "replace")
    letters = [character for character in text if character.isalpha()]
    # All Latin alphabets look alike to a guess: it is followed to another script, or where words of cp1252 are none.
    if not encoding.startswith("utf") and sum(letter > "\u02ff" for letter in letters) * 2 > len(letters):
        return encoding
    odd = {name: len(_SYMBOL_IN_A_WORD.findall(sample.decode(name, "replace"))) for name in ("cp1252", "cp1250")}
    return "cp1250" if odd["cp1250"] * 4 < odd["cp1252"] else "cp1252"
