"""Print the number of the process that holds the write lock of an SQLite file, and a number that changes with commits.

    python -I -S lock_holder.py FILE-shm

Prints nothing if nobody holds it. This has to be a process of its own: closing a file frees all locks that a process
has on it, so one that uses the database would lose those of SQLite.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys

#: The place of WAL_WRITE_LOCK (https://www.sqlite.org/walformat.html#walidxlks).
_BYTE = 120
#: struct flock: (type, whence, start, length, pid) on Linux, (start, length, pid, type, whence) on macOS.
_LINUX, _MACOS = "hhqqi4x", "qqihh"


def main(path: str) -> None:
    file = os.open(path, os.O_RDWR)
    if sys.platform == "darwin":
        asked = struct.pack(_MACOS, _BYTE, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
        _, _, pid, kind, _ = struct.unpack(_MACOS, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    else:
        asked = struct.pack(_LINUX, fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)
        kind, _, _, _, pid = struct.unpack(_LINUX, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    if kind != fcntl.F_UNLCK:
        # iChange, in the header of the WAL index.
        [commits] = struct.unpack("I", os.pread(file, 4, 8))
        sys.stdout.write(f"{pid} {commits}\n")


if __name__ == "__main__":
    main(sys.argv[1])
