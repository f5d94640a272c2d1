"""Limit connections: how many there are in all and for each address, and how long their headers may take.

uvicorn's own limit (`--limit-concurrency`) counts a connection only once its headers are there, so strangers who send
none use up the files that the process may open. Then it can't accept anybody.

A connection that waits for a request costs its client nothing to open again. So when there are too many, the one that
has waited longest makes room, and only connections with a request can fill the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from botfactory.edge.senders import is_proxy, network_of
from botfactory.rest.errors import SENTENCES

logger = logging.getLogger(__name__)

#: A connection that waits takes 4 kB of memory. A request takes a thread, too.
MOST: Final = 2_000
#: A request opens other files, too, such as those of SQLite.
FILES_FOR_EACH: Final = 2
_RETRY_SECONDS: Final = 30
_NOTE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of connections. Websockets count, too."""

    most: int
    #: For each address, except those of proxies in front. Everybody in a school may have the same.
    by_address: int
    #: From the beginning of a connection, or the last answer, to the end of the next request's headers.
    header_seconds: float = 20

    @classmethod
    def of_files(cls, files: int) -> Bounds:
        """Return the limits for a process that can open this many files."""
        most = min(MOST, files // FILES_FOR_EACH)
        return cls(most=most, by_address=max(1, most // 4))


class Connections:
    """The open connections of this process."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        #: Each connection's address, if it counts for one.
        self.addresses: dict[asyncio.Transport, str | None] = {}
        self.of_address: Counter[str] = Counter()
        #: Those that wait for a request, longest first.
        self.waiting: dict[asyncio.Transport, None] = {}
        self.too_late = _answer(408, SENTENCES[408][1])
        self._full = _answer(503, _("This site has as many connections as it can handle. Try again in a minute."))
        self._full_for_address = _answer(
            429,
            _("Too many connections are open from your network. Close some pages of this site, then try again."),
        )
        self._turned_away = 0
        self._next_note = 0.0

    def enter(self, transport: asyncio.Transport) -> bytes | None:
        """Count a new connection and return None, or the answer for one that there's no room for."""
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        address = None if not peer or is_proxy(peer) else network_of(peer)
        if address and self.of_address[address] >= self.bounds.by_address and not self._make_room(address):
            return self._full_for_address
        if len(self.addresses) >= self.bounds.most and not self._make_room():
            return self._full
        self.addresses[transport] = address
        if address:
            self.of_address[address] += 1
        return None

    def leave(self, transport: asyncio.Transport) -> None:
        """Stop counting a connection, unless that has been done."""
        self.waiting.pop(transport, None)
        address = self.addresses.pop(transport, None)
        if address:
            self.of_address[address] -= 1
            if self.of_address[address] <= 0:
                del self.of_address[address]

    def _make_room(self, address: str | None = None) -> bool:
        """Close the connection that has waited longest, of this address or of all. Return whether there is one."""
        self._note()
        for transport in self.waiting:
            # The end of an answer may still be on its way.
            if (address is None or self.addresses[transport] == address) and not transport.get_write_buffer_size():
                self.leave(transport)
                transport.abort()
                return True
        return False

    def _note(self) -> None:
        """Log, at most once a minute, that connections are turned away."""
        self._turned_away += 1
        if time.monotonic() >= self._next_note:
            logger.warning(
                "Too many connections: closed or refused %d since the last such line. Each address can have %d, and "
                "all together %d",
                self._turned_away,
                self.bounds.by_address,
                self.bounds.most,
            )
            self._turned_away, self._next_note = 0, time.monotonic() + _NOTE_SECONDS


class Http(H11Protocol):  # type: ignore[misc]
    """uvicorn's protocol with these limits."""

    def __init__(self, all_connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self.all_connections = all_connections
        self.deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        answer = self.all_connections.enter(transport)
        if answer is None:
            self._follow()
            return
        transport.write(answer)
        # If a request were left unread, the kernel would reset the connection, and some clients would lose the answer.
        with contextlib.suppress(OSError):
            os.read(transport.get_extra_info("socket").fileno(), 1 << 16)
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.all_connections.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def _follow(self) -> None:
        """Note whether the connection waits for a request. If it begins to, its deadline is set."""
        is_ours = self.transport.get_protocol() is self and not self.transport.is_closing()
        if not is_ours or not (self.cycle is None or self.cycle.response_complete):
            self._stop_waiting()
        elif self.deadline is None:
            self.all_connections.waiting[self.transport] = None
            self.deadline = self.loop.call_later(self.all_connections.bounds.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        self.all_connections.waiting.pop(self.transport, None)
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _give_up(self) -> None:
        received, _ = self.conn.trailing_data
        if received:
            self.transport.write(self.all_connections.too_late)
        self.transport.close()


class Socket(WebSocketsSansIOProtocol):  # type: ignore[misc]
    """uvicorn's protocol for websockets. It takes a connection over from `Http`, and so has to end its counting."""

    def __init__(self, all_connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self.all_connections = all_connections

    def connection_lost(self, exc: Exception | None) -> None:
        self.all_connections.leave(self.transport)
        super().connection_lost(exc)


def _answer(status: int, message: str | Promise) -> bytes:
    """Return a whole answer in each language of the pages, because the client's isn't known without its headers."""
    sentences = []
    for code, _name in settings.LANGUAGES:
        with override(code):
            sentences.append(str(message))
    body = "\n\n".join(dict.fromkeys(sentences)).encode() + b"\n"
    headers = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        f"Retry-After: {_RETRY_SECONDS}",
        "Connection: close",
    ]
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + body
