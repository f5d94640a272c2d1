"""A classical rival: PPMd, 7-zip's variant H, from pyppmd. It keeps learning from the text that it codes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import IO, Final

from .common import ROOT

ORDER: Final = 12
# Enough for 200 MB of posts at order 12. When full, the model would restart. Only what is used is allocated.
MEMORY: Final = 0xF000_0000


def installed() -> bool:
    return find_spec("pyppmd") is not None


class Coder:
    """A model primed once with a long text, in its own process that forks for each question.

    One encoder reads everything. A range coder outputs its bytes as soon as they are certain. So its output for `coded`
    is, within a byte or two, len(before + coded) - len(before), each compressed as a whole. Tests check this.
    """

    def __init__(self, prime: bytes, *, order: int = ORDER, memory: int = MEMORY) -> None:
        # A separate program, because a fork of this process would also have TensorFlow and its threads.
        command = [sys.executable, "-m", "benchmarks.ppmd", str(order), str(memory)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send(prime)

    def bits(self, before: bytes, coded: bytes) -> int:
        """Return the size of `coded` after the long text and `before`. The next question doesn't see either."""
        self._send(before)
        self._send(coded)
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The coder has ended ({self._process.wait()}); it may have had too little memory.")
        return 8 * int(answer)

    def close(self) -> None:
        self._process.communicate()

    def _send(self, text: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(len(text).to_bytes(8) + text)
        self._process.stdin.flush()


def _received(source: IO[bytes]) -> bytes | None:
    """Return the next text that was sent, or None at the end."""
    length = source.read(8)
    return source.read(int.from_bytes(length)) if length else None


def _serve(order: int, memory: int) -> None:
    import pyppmd

    encoder = pyppmd.Ppmd7Encoder(order, memory)
    encoder.encode(_received(sys.stdin.buffer) or b"")
    while (before := _received(sys.stdin.buffer)) is not None:
        coded = _received(sys.stdin.buffer)
        child = os.fork()
        if child == 0:
            encoder.encode(before)
            os.write(1, b"%d\n" % len(encoder.encode(coded)))
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            raise SystemExit(1)  # the other side sees that the output ends


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
