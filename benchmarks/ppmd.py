"""A classical rival: PPMd, 7-zip's variant H, by pyppmd. It goes on learning from the very text that it codes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import IO, Final

from .common import ROOT

ORDER: Final = 12
# Enough for 200 MB of posts at order 12; a full memory would restart the model. Only what is used is taken.
MEMORY: Final = 0xF000_0000


def installed() -> bool:
    return find_spec("pyppmd") is not None


class Coder:
    """A model primed with a long text once, in a process of its own that forks for each question.

    One encoder reads all. A range coder hands out its bytes as soon as they are certain, so that what it hands out for
    `coded` is, to a byte or two, len(before + coded) - len(before), both compressed whole; tests hold it to that.
    """

    def __init__(self, prime: bytes, *, order: int = ORDER, memory: int = MEMORY) -> None:
        # A program of its own: a fork of this process would hold TensorFlow, and its threads, as well.
        command = [sys.executable, "-m", "benchmarks.ppmd", str(order), str(memory)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send(prime)

    def bits(self, before: bytes, coded: bytes) -> int:
        """Returns what `coded` takes after the long text and `before`, which the next question does not see."""
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
    """Returns the next text that was sent, or None at the end."""
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
            raise SystemExit(1)  # the asker sees the output end


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
