"""Detect the encoding of a text file from its bytes."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path

from botfactory.words.translatable import mark as marked
from tweets.common_words import COMMON_WORDS, language_of_words, words_of
from tweets.sources.base import BadFile
from tweets.sources.reading.streams import CHUNK, open_bytes

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins the same way
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 1 << 15  # bytes of lines with more than ASCII, to detect an older encoding
# Bytes that no text contains, in any encoding but UTF-16 and UTF-32.
_BINARY = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
_TURKISH = frozenset({"cp1254", "iso8859_9"})
#: Languages of which cp1252 makes other letters, not symbols in words.
_CENTRAL = frozenset({"cs", "hu", "pl", "ro"})
#: Symbols in words, and control characters: ISO 8859-2 has them where the others have quotes and letters.
_ODD = re.compile(r"[^\W\d_][\xa1-\xbf\xd7\xf7\ufffd](?=[^\W\d_])|\b[\xa3\xaf\xbf][^\W\d_]|[\x80-\x9f]")


def find_encoding(path: Path, limit: int) -> str:
    """Return the encoding for the whole file, to be read with errors replaced.

    A byte order mark decides. Without one, it is UTF-8 if all or most of the file is UTF-8: a few damaged characters
    must not garble every emoji, and other encodings hardly ever look like UTF-8. Otherwise it is the older encoding
    that gives words or, if none is clearly best, cp1252, which Excel writes on Windows.

    Raises BadFile if it isn't text.
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
            # Those that are in the file were lost earlier and say nothing about its encoding.
            wrong += text.count("\ufffd") - chunk.count(b"\xef\xbf\xbd")
            foreign += len(text) - len(text.encode("ascii", "ignore"))
            binary += len(chunk) - len(chunk.translate(None, _BINARY))
            size += len(chunk)
            if len(sample) < _SAMPLE and not chunk.isascii():
                lines = chunk.split(b"\n")
                whole = lines[1:-1] if len(lines) > 2 and sample else lines
                sample += b"\n".join(line for line in whole if not line.isascii())[:_SAMPLE] + b"\n"
        # A character that is cut at the very end counts only if there are no other signs.
        wrong += len(decoder.decode(b"", True)) if foreign == wrong else 0
    if binary * 100 > size:
        raise BadFile(marked("This file isn’t text. Upload posts as .txt, .csv, .jsonl or .json in UTF-8."))
    return _older(sample) if wrong > foreign - wrong else "utf-8-sig"


def open_text(path: Path, limit: int, newline: str | None = None) -> io.TextIOWrapper:
    """Return the content of the file as text, in the encoding of `find_encoding`."""
    encoding = find_encoding(path, limit)
    return io.TextIOWrapper(open_bytes(path, limit), encoding=encoding, errors="replace", newline=newline)


def _wide(head: bytes) -> str | None:
    """Return UTF-16 without a mark, in which every other byte of a mostly Latin text is zero; else None."""
    half = len(head) // 2
    if half < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * half and even < 0.02 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.02 * half else None


def _older(sample: bytes) -> str:
    # Most small words are the same in all of these encodings.
    language = language_of_words(words_of(sample.decode("cp1252", "replace").lower()))
    if language in _CENTRAL:
        return _central(sample, language)
    from charset_normalizer import from_bytes  # late, because few files are that old

    found = from_bytes(sample).best()
    encoding = found.encoding if found is not None else "cp1252"
    if encoding in _TURKISH:
        return "cp1254"
    text = sample.decode(encoding, "replace")
    letters = [character for character in text if character.isalpha()]
    # A guess can't tell Latin alphabets apart. Follow it to another script, or if cp1252 gives no words.
    if not encoding.startswith("utf") and sum(letter > "\u02ff" for letter in letters) * 2 > len(letters):
        return encoding
    return "cp1250" if _odd(sample, "cp1250") * 4 < _odd(sample, "cp1252") else "cp1252"


def _central(sample: bytes, language: str) -> str:
    """Return the encoding that gives a text in this language the fewest odd signs, then the most of its words."""
    known = frozenset(COMMON_WORDS[language].split())

    def fit(encoding: str) -> tuple[int, int]:
        words = words_of(sample.decode(encoding, "replace").lower())
        return -_odd(sample, encoding), sum(word in known for word in words)

    return max(("cp1250", "iso8859_2"), key=fit)


def _odd(sample: bytes, encoding: str) -> int:
    return len(_ODD.findall(sample.decode(encoding, "replace")))
