"""Downloads the files of a snapshot: each begins where the last attempt stopped, and counts only once it's verified."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from botfactory.net import Incoming, NetError
from models_app.bases.getting import hub

if TYPE_CHECKING:
    from hashlib import _Hash

#: How the name of a file ends that isn't complete, or not yet verified.
PART: Final = ".part"
_BLOCK: Final = 1 << 20
#: Seconds before a download that was cut is asked for again.
_BREATH: Final = 0.5

#: Called with the bytes that are here after each block. It may raise an error to end the download.
Arrived = Callable[[int], None]


def fetch(snapshot: hub.Snapshot, folder: Path, arrived: Arrived) -> None:
    """Bring all files of the snapshot into the folder.

    Goes on when a download is cut, as long as each try brings something. Raises HubUnavailable when one doesn't,
    HubError if the hub hasn't got a file or sends another one (which is deleted), and OSError if the disk is full. What
    came before is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = 0
    for file in snapshot.files:
        if not (folder / file.name).exists():
            _fetch_file(snapshot, file, folder, _after(before, arrived))
        before += file.bytes
        arrived(before)


def _after(before: int, arrived: Arrived) -> Arrived:
    """Return what adds the bytes of the files before to those of a file."""
    return lambda here: arrived(before + here)


def here(snapshot: hub.Snapshot, folder: Path) -> int:
    """Return how many bytes of the snapshot are in the folder."""
    return sum(_size(folder / file.name) or _size(_part(folder, file)) for file in snapshot.files)


def _fetch_file(snapshot: hub.Snapshot, file: hub.HubFile, folder: Path, arrived: Arrived) -> None:
    part = _part(folder, file)
    while _size(part) < file.bytes:
        begin = _size(part)
        why = hub.cut()
        try:
            _fetch_rest(snapshot, file, part, begin, arrived)
        except hub.HubUnavailable as error:
            why = error
        if (now := _size(part)) <= begin:
            raise why
        if now < file.bytes:
            time.sleep(_BREATH)
    digest = file.digest()
    with part.open("rb") as kept:
        for done in _hashed(kept, digest):
            arrived(min(done, file.bytes))
        os.fsync(kept.fileno())
    if digest.hexdigest() != file.expected:
        part.unlink()
        raise hub.damaged(file)
    part.rename(folder / file.name)


def _fetch_rest(snapshot: hub.Snapshot, file: hub.HubFile, part: Path, begin: int, arrived: Arrived) -> None:
    """Append what is missing, or begin anew where the server can't begin in the middle."""
    try:
        with hub.stream(snapshot, file, begin) as incoming:
            if incoming.status == 416:
                # Its file is shorter than the one of the commit.
                part.unlink(missing_ok=True)
                raise hub.damaged(file)
            hub.require_good(incoming.status, incoming.headers, snapshot.repository, snapshot.commit)
            size = begin if _begins_at(incoming, begin) else 0
            with part.open("r+b" if size else "wb") as kept:
                kept.seek(size)
                for block in incoming.blocks:
                    # More than announced is another file, which the checksum finds.
                    kept.write(block[: file.bytes + 1 - size])
                    size += len(block)
                    arrived(min(size, file.bytes))
                    if size > file.bytes:
                        return
    except NetError as error:
        raise hub.error_of(error) from error


def _begins_at(incoming: Incoming, begin: int) -> bool:
    return incoming.status == 206 and incoming.headers.get("content-range", "").startswith(f"bytes {begin}-")


def _hashed(source: IO[bytes], digest: _Hash) -> Iterator[int]:
    """Feed the hash with the source, and yield how many bytes it got so far."""
    done = 0
    while block := source.read(_BLOCK):
        digest.update(block)
        done += len(block)
        yield done


def _part(folder: Path, file: hub.HubFile) -> Path:
    return folder / f"{file.name}{PART}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
