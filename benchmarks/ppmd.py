"""A classical rival: PPMd, 7-zip's variant H, by pyppmd. It goes on learning from the very text that it codes."""

from __future__ import annotations

import multiprocessing
import os
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Final

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
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, order, memory), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.send_bytes(prime)

    def bits(self, before: bytes, coded: bytes) -> int:
        """Returns what `coded` takes after the long text and `before`, which the next question does not see."""
        self._ours.send_bytes(before)
        self._ours.send_bytes(coded)
        return 8 * int(self._ours.recv())

    def close(self) -> None:
        self._ours.close()
        self._process.join()


def _serve(connection: Connection, order: int, memory: int) -> None:
    import pyppmd

    encoder = pyppmd.Ppmd7Encoder(order, memory)
    encoder.encode(connection.recv_bytes())
    while True:
        try:
            before, coded = connection.recv_bytes(), connection.recv_bytes()
        except EOFError:
            return
        child = os.fork()
        if child == 0:
            encoder.encode(before)
            connection.send(len(encoder.encode(coded)))
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            return  # the asker sees the connection end
