"""Read ZIPs entry by entry, so that memory use doesn't depend on the number of files.

`zipfile` keeps the whole directory in memory, and a hostile ZIP can be nothing but directory. Files that nobody asks
for are never unpacked. The layout is that of PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 0xFFFF
_SEE_EXTRA, _SEE_END_64 = 0xFFFFFFFF, {0xFFFF, 0xFFFFFFFF}
_ZIP_64 = 1
_STORED, _DEFLATED = 0, 8
_BLOCK = 1 << 16


class BadZip(ValueError):
    """The ZIP, or one file in it, is damaged or packed in an unusual way."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file as the directory lists it, with sizes in bytes. `name` has forward slashes."""

    name: str
    size: int
    packed_size: int
    checksum: int
    method: int
    is_encrypted: bool
    offset: int


class ZipFolder:
    """The files of a ZIP. Raises BadZip if it's no ZIP or an incomplete one. It closes the file at the end."""

    def __init__(self, zipped: Path | IO[bytes]) -> None:
        self._file = zipped.open("rb") if isinstance(zipped, Path) else zipped
        try:
            self._start, self._end, self._before = self._directory()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def members(self) -> Iterator[Member]:
        """Yield the files, without folders. Raises BadZip if the directory is damaged."""
        place = self._start
        while place < self._end:
            self._file.seek(place)
            fixed = _fields(_ENTRY, self._file.read(_ENTRY.size), b"PK\x01\x02")
            _, _, _, flags, method, _, _, checksum, packed, size, name_size, extra_size, comment_size, *rest = fixed
            name = self._file.read(name_size)
            extra = self._file.read(extra_size)
            place += _ENTRY.size + name_size + extra_size + comment_size
            if len(name) < name_size or len(extra) < extra_size or place > self._end:
                raise BadZip("The directory breaks off.")
            size, packed, offset = _with_extra(extra, size, packed, int(rest[-1]))
            shown = name.decode("utf-8" if flags & 0x800 else "cp437", "replace").replace("\\", "/").lstrip("/")
            if not shown.endswith("/"):
                yield Member(shown, size, packed, checksum, method, bool(flags & 1), offset + self._before)

    def open(self, member: Member) -> MemberReader:
        """Return the bytes of one file. Read them before you open the next."""
        if member.method not in (_STORED, _DEFLATED) or member.is_encrypted:
            raise BadZip("The file is packed in another way.")
        self._seek(member.offset)
        fixed = _fields(_LOCAL, self._file.read(_LOCAL.size), b"PK\x03\x04")
        self._seek(member.offset + _LOCAL.size + int(fixed[-2]) + int(fixed[-1]))
        return MemberReader(self._file, member)

    def _seek(self, place: int) -> None:
        if not 0 <= place <= self._start:
            raise BadZip("The directory names a place outside of the zip.")
        self._file.seek(place)

    def _directory(self) -> tuple[int, int, int]:
        """Return where the directory begins and ends, and how many other bytes precede the ZIP."""
        whole = self._file.seek(0, 2)
        back = max(0, whole - _END.size - _LONGEST_COMMENT)
        self._file.seek(back)
        tail = self._file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0:
            raise BadZip("There is no directory.")
        end = back + at
        _, _, _, _, entries, size, offset, _ = _fields(_END, tail[at : at + _END.size], b"PK\x05\x06")
        if {size, offset} & _SEE_END_64 or entries in _SEE_END_64:
            found = self._end_64(end)
            if found is not None:
                size, offset, end = found
        start = end - size
        before = start - offset
        if start < 0 or before < 0:
            raise BadZip("The directory is larger than the zip.")
        return start, end, before

    def _end_64(self, end: int) -> tuple[int, int, int] | None:
        """Return size, offset and end of the directory from the record of large ZIPs, or None without one."""
        place = end - _LOCATOR_64.size
        if place < 0:
            return None
        self._file.seek(place)
        locator = self._file.read(_LOCATOR_64.size)
        if not locator.startswith(b"PK\x06\x07"):
            return None
        # It is just before its locator. The locator's own offset is wrong if something precedes the ZIP.
        place -= _END_64.size
        if place < 0:
            raise BadZip("The directory is missing.")
        self._file.seek(place)
        record = _fields(_END_64, self._file.read(_END_64.size), b"PK\x06\x06")
        return int(record[-2]), int(record[-1]), place


class MemberReader:
    """Read one file of a ZIP. Raises BadZip if it is damaged, at the latest with its last bytes."""

    def __init__(self, file: IO[bytes], member: Member) -> None:
        self._file = file
        self._left = member.packed_size
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == _DEFLATED else None
        self._ahead = b""
        self._to_come = member.size
        self._expected = member.checksum
        self._checksum = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes (64 KB if it is negative), b"" at the end."""
        if size == 0:
            return b""  # zlib takes 0 for no limit
        size = _BLOCK if size < 0 else min(size, _BLOCK)
        data = self._unpacked(size) if self._unpacker else self._packed(size)
        self._checksum = zlib.crc32(data, self._checksum)
        self._to_come -= len(data)
        if self._to_come < 0 or (not data and (self._to_come or self._checksum != self._expected)):
            raise BadZip("The file is not as long as the directory says, or its checksum is another.")
        return data

    def close(self) -> None:
        """Do nothing: the ZIP closes its file."""

    def _packed(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def _unpacked(self, size: int) -> bytes:
        unpacker = self._unpacker
        assert unpacker is not None
        while not unpacker.eof:
            packed = self._ahead or self._packed(_BLOCK)
            try:
                data = unpacker.decompress(packed, size) if packed else unpacker.flush()
            except zlib.error:
                raise BadZip("The packed bytes make no sense.") from None
            self._ahead = unpacker.unconsumed_tail
            if data or not packed:
                return data
        return b""


def _fields(shape: struct.Struct, data: bytes, mark: bytes) -> tuple[int, ...]:
    if len(data) < shape.size or not data.startswith(mark):
        raise BadZip("A part of the zip is not where it should be.")
    return shape.unpack(data)


def _with_extra(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return the sizes and the place of a file. Those too large for the entry are in its extra field."""
    if _SEE_EXTRA not in (size, packed, offset):
        return size, packed, offset
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _ZIP_64:
            places = range(4, min(4 + length, len(extra)) - 7, 8)
            numbers = iter([int.from_bytes(extra[place : place + 8], "little") for place in places])
            size, packed, offset = (
                next(numbers, number) if number == _SEE_EXTRA else number for number in (size, packed, offset)
            )
            break
        extra = extra[4 + length :]
    return size, packed, offset
