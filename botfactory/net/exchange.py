"""One exchange over a line that is open: never too much, never for too long."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote

from botfactory.net.addresses import port_of
from botfactory.net.errors import BadAnswer
from botfactory.words.translatable import Sentence, mark

_BLOCK: Final = 1 << 16
#: The first byte of each gzip member.
_GZIP: Final = 0x1F
#: The most gzip members of one answer, far more than servers send. Each costs time, even an empty one.
_MAX_MEMBERS: Final = 1_000
#: Characters of an address that are quoted already, or need no quoting.
_AS_IT_IS: Final = "/%:@!$&'()*+,;=~?[]"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, whatever its status. Names of headers are in lower case, the body is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """The head of an answer, as in Answer. `blocks` is its body as it arrives, not unpacked.

    Reading it raises OSError or HTTPException if it breaks off.
    """

    status: int
    headers: Mapping[str, str]
    blocks: Iterator[bytes]


def exchange(
    method: str,
    parts: SplitResult,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    line: socket.socket,
    host: str,
    most: int,
    reads_body: bool,
) -> Answer:
    """Send the request over the line and return the answer; with `reads_body`, its body of at most `most` bytes.

    BadAnswer for a larger or strangely packed body; OSError, HTTPException and zlib.error if the answer breaks off.
    """
    response = _asked(method, parts, headers, body, line, host)
    told = _headers(response)
    return Answer(response.status, told, _body(response, told, host, most) if reads_body else b"")


def begin(parts: SplitResult, headers: Mapping[str, str], *, line: socket.socket, host: str) -> Incoming:
    """Send a GET over the line and return the answer once its head is there. Raises OSError and HTTPException."""
    response = _asked("GET", parts, headers, None, line, host)
    return Incoming(response.status, _headers(response), _blocks(response, response.read1))


def _asked(
    method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes | None, line: socket.socket, host: str
) -> http.client.HTTPResponse:
    connection = _Connection(host, port_of(parts), line, is_secure=parts.scheme == "https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(
        method, quote(target, safe=_AS_IT_IS, errors="replace"), body, {**headers, "Connection": "close"}
    )
    return connection.getresponse()


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


@contextlib.contextmanager
def cut_off_at(deadline: float, line: socket.socket) -> Iterator[threading.Event]:
    """Shut the line at the deadline: however slowly its bytes drip, whoever waits for them wakes up."""
    is_cut_off = threading.Event()

    def shut() -> None:
        is_cut_off.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(line, socket.SHUT_RDWR)

    alarm = threading.Timer(max(0.0, deadline - time.monotonic()), shut)
    alarm.daemon = True
    alarm.start()
    try:
        yield is_cut_off
    finally:
        alarm.cancel()


class _Connection(http.client.HTTPConnection):
    """A connection over a line that is open already; it opens no other."""

    auto_open = 0

    def __init__(self, host: str, port: int, line: socket.socket, *, is_secure: bool) -> None:
        super().__init__(f"[{host}]" if ":" in host else host, port)
        self.default_port = 443 if is_secure else 80  # the Host header leaves it out
        self.sock = line


def _body(response: http.client.HTTPResponse, headers: Mapping[str, str], host: str, most: int) -> bytes:
    packing = headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip"):
        raise BadAnswer(
            Sentence(
                mark("%(host)s compresses its answers in a way that we can’t read (%(way)s)."),
                host=host,
                way=packing[:20],
            )
        )
    # What comes in is limited too: gzip can go on for ever without a byte coming out.
    blocks = _at_most(most, _blocks(response, response.read), host)
    if packing == "gzip":
        blocks = _at_most(most, gunzipped(blocks, most, host), host)
    return b"".join(blocks)


def _blocks(response: http.client.HTTPResponse, receive: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the body in blocks by `receive`; IncompleteRead if less came than was announced."""
    announced, read = response.length, 0
    while block := receive(_BLOCK):
        read += len(block)
        yield block
    if announced is not None and read < announced:
        raise http.client.IncompleteRead(b"", announced - read)


def _at_most(most: int, blocks: Iterable[bytes], host: str) -> Iterator[bytes]:
    """Yield the blocks, `most` bytes together; BadAnswer at the first that is too much."""
    total = 0
    for block in blocks:
        total += len(block)
        if total > most:
            raise BadAnswer(
                Sentence(
                    mark("%(host)s sent more than %(most)s MB at once, so we stopped reading."),
                    host=host,
                    most=most // 1_000_000,
                )
            )
        yield block


def gunzipped(blocks: Iterable[bytes], most: int, host: str) -> Iterator[bytes]:
    """Yield the unpacked body in small pieces, so that whoever sums them up can stop early.

    A body has one gzip member or several (RFC 1952, section 2.2). Whatever follows them and doesn't begin like another
    one is padding, which is dropped unread. IncompleteRead if the last member has no end.
    """
    unpacker = None
    members = 0
    for block in blocks:
        while block:
            if unpacker is None:
                if members and block[0] != _GZIP:
                    return
                members += 1
                if members > _MAX_MEMBERS:
                    raise BadAnswer(
                        Sentence(
                            mark("%(host)s sent an answer in more than %(most)s parts, so we stopped reading."),
                            host=host,
                            most=_MAX_MEMBERS,
                        )
                    )
                unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield unpacker.decompress(block, min(_BLOCK, most + 1))
            if unpacker.eof:
                block, unpacker = unpacker.unused_data, None
            else:
                block = unpacker.unconsumed_tail
    if unpacker is not None:
        yield unpacker.flush()
        if not unpacker.eof:
            raise http.client.IncompleteRead(b"")
