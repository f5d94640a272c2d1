"""The client for servers that people name: never into a private network, never for too much, never for too long.

It resolves a host, checks each of its addresses, and connects to the very address that it checked, so a name that leads
elsewhere a moment later changes nothing. It follows redirects with the same checks each time, or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from botfactory.net.addresses import ascii_of, is_public, origin_of, port_of
from botfactory.net.errors import BadAnswer, Refused, Unavailable, UnknownHost
from botfactory.net.exchange import Answer, Incoming, begin, cut_off_at, exchange
from botfactory.net.wire import Wire
from botfactory.words.translatable import Sentence, counted_sentence, mark

_NO_SUCH_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_NO_NETWORK: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
#: Lower ports belong to other protocols, which nobody may make us speak, except for those of HTTP.
_FIRST_FREE_PORT: Final = 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how much to read."""

    timeout_seconds: float  # without a byte from the other side
    total_seconds: float  # for one answer, with its redirects
    max_answer_bytes: int  # after gzip is undone


class Client:
    """Asks over HTTPS on the public internet, and the origins in `trusted` wherever they are.

    With `also_http` also over HTTP, and at any port that may be HTTP's.
    """

    def __init__(
        self,
        patience: Patience,
        *,
        trusted: Iterable[str] = (),
        also_http: bool = False,
        wire: Wire | None = None,
    ) -> None:
        self._patience = patience
        self._trusted = {origin_of(origin) for origin in trusted}
        self._also_http = also_http
        self._wire = wire or Wire()

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Return the answer to a GET, redirects followed; no cookie and no secret is ever sent.

        Raises Refused, UnknownHost and BadAnswer (such as more than `max_answer_bytes`) if another try would change
        nothing, and Unavailable if the server doesn't answer, or not in time.
        """
        deadline = time.monotonic() + self._patience.total_seconds
        sent = {**headers, "Accept-Encoding": "gzip"}
        for _ in range(_MAX_REDIRECTS + 1):
            parts = self._checked(url)
            answer = self._ask("GET", parts, sent, None, deadline, reads_body=True)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            url = urljoin(parts.geturl(), location)
        raise _too_many_redirects(url)

    @contextlib.contextmanager
    def stream(self, url: str, headers: Mapping[str, str]) -> Iterator[Incoming]:
        """Yield the answer to a GET, redirects followed, whose body is read as it comes, however large it is.

        `total_seconds` is for the head; after that, `timeout_seconds` without a byte end it. Raises as `get`, also
        while the body is read.
        """
        deadline = time.monotonic() + self._patience.total_seconds
        for _ in range(_MAX_REDIRECTS + 1):
            parts = self._checked(url)
            with self._line(parts, deadline) as (line, host):
                incoming = self._begun(parts, headers, line, host)
                location = incoming.headers.get("location")
                if incoming.status not in _REDIRECTS or not location:
                    yield replace(incoming, blocks=_all_of(incoming.blocks, host))
                    return
            url = urljoin(parts.geturl(), location)
        raise _too_many_redirects(url)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer to a POST without its body, which isn't read. Follows no redirect. Raises as `get`."""
        deadline = time.monotonic() + self._patience.total_seconds
        return self._ask("POST", self._checked(url), headers, body, deadline, reads_body=False)

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Return the answer to a request of any method, with its body. For servers that may see the secrets in it.

        Follows no redirect, so the secrets go nowhere else. Raises as `get`.
        """
        deadline = time.monotonic() + self._patience.total_seconds
        sent = {**headers, "Accept-Encoding": "gzip"}
        return self._ask(method, self._checked(url), sent, body, deadline, reads_body=True)

    def check(self, url: str) -> None:
        """Raise Refused for an address that isn't allowed, as far as we can tell without looking up its name."""
        self._checked(url)

    def leads_inside(self, url: str, *, lookup_seconds: float) -> bool:
        """Return whether the name of an address leads into a private network, as far as we find out in time.

        An unknown name leads nowhere yet. Each request looks it up again.
        """
        parts = self._checked(url)
        if self._is_trusted(parts):
            return False
        try:
            found = self._wire.addresses(ascii_of(parts.hostname or ""), port_of(parts), seconds=lookup_seconds)
        except (OSError, UnicodeError):
            return False
        return not all(is_public(address) for address in found)

    def _checked(self, url: str) -> SplitResult:
        """Return the parts of an address; Refused if it isn't allowed, as far as we can tell without resolving it."""
        try:
            parts = urlsplit(url)
            host, port = ascii_of(parts.hostname or ""), parts.port
        except ValueError:
            raise Refused(_no_address()) from None
        if "@" in parts.netloc or not host:
            raise Refused(_no_address())
        if self._is_trusted(parts):
            return parts
        if parts.scheme != "https" and not (self._also_http and parts.scheme == "http"):
            text = (
                mark("We can reach %(host)s only over HTTPS or HTTP. Begin its address with https:// or http://.")
                if self._also_http
                else mark("We can reach %(host)s only over HTTPS. Begin its address with https://.")
            )
            raise Refused(Sentence(text, host=host))
        usual = port in (None, 443) or (self._also_http and (port == 80 or port >= _FIRST_FREE_PORT))
        if not usual:
            text = (
                mark("We can’t use port %(port)s of %(host)s. Use 443, 80, or any port from %(first)s up.")
                if self._also_http
                else mark("We can’t use port %(port)s of %(host)s, only 443.")
            )
            raise Refused(Sentence(text, port=str(port), host=host, first=str(_FIRST_FREE_PORT)))
        return parts

    def _is_trusted(self, parts: SplitResult) -> bool:
        try:
            return origin_of(f"{parts.scheme}://{parts.netloc}") in self._trusted
        except ValueError:
            return False

    def _ask(
        self,
        method: str,
        parts: SplitResult,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        *,
        reads_body: bool,
    ) -> Answer:
        with self._line(parts, deadline) as (line, host), cut_off_at(deadline, line) as is_cut_off:
            try:
                most = self._patience.max_answer_bytes
                answer = exchange(method, parts, headers, body, line=line, host=host, most=most, reads_body=reads_body)
            except (OSError, http.client.HTTPException, zlib.error):
                answer = None
        # Raised outside of `except`, so that only the sentence remains. A line that was cut looks like the end of an
        # answer that didn't announce its length.
        if is_cut_off.is_set():
            raise Unavailable(self._too_slow(host))
        if answer is None:
            raise _broken_off(host)
        return answer

    def _begun(self, parts: SplitResult, headers: Mapping[str, str], line: socket.socket, host: str) -> Incoming:
        try:
            return begin(parts, headers, line=line, host=host)
        except (OSError, http.client.HTTPException):
            pass
        raise _broken_off(host)

    @contextlib.contextmanager
    def _line(self, parts: SplitResult, deadline: float) -> Iterator[tuple[socket.socket, str]]:
        """Yield an open line to the server, and its host's name."""
        host = ascii_of(parts.hostname or "")
        port = port_of(parts)
        addresses = self._addresses(host, port, deadline, any_address=self._is_trusted(parts))
        with contextlib.ExitStack() as held:
            line = held.enter_context(contextlib.closing(self._connect(host, port, addresses, deadline)))
            if parts.scheme == "https":
                line = held.enter_context(contextlib.closing(self._secured(line, host, deadline)))
            line.settimeout(self._patience.timeout_seconds)
            yield line, host

    def _too_slow(self, host: str) -> Sentence:
        return counted_sentence(
            mark("%(host)s answers too slowly: it didn’t finish within %(count)s second."),
            mark("%(host)s answers too slowly: it didn’t finish within %(count)s seconds."),
            round(self._patience.total_seconds),
            host=host,
        )

    def _addresses(self, host: str, port: int, deadline: float, *, any_address: bool) -> Sequence[str]:
        seconds = self._time_left(host, deadline)
        addresses: Sequence[str] = ()
        unknown: UnknownHost | None = None
        try:
            addresses = self._wire.addresses(host, port, seconds=seconds)
        except UnicodeError:
            unknown = UnknownHost(host, is_possible=False)
        except OSError as error:
            unknown = UnknownHost(host) if error.errno in _NO_SUCH_NAME else None
        if unknown is not None:
            raise unknown
        if not addresses:
            raise Unavailable(
                Sentence(
                    mark(
                        "The address of %(host)s can’t be found at the moment, because of a problem with its "
                        "name servers or this machine’s network."
                    ),
                    host=host,
                )
            )
        # One private address among public ones is enough: the next try might get that one.
        if not any_address and not all(is_public(address) for address in addresses):
            raise Refused(Sentence(mark("%(host)s is in a private network, so we don’t connect to it."), host=host))
        return addresses

    def _connect(self, host: str, port: int, addresses: Sequence[str], deadline: float) -> socket.socket:
        reasons = set()
        for address in addresses:
            try:
                return self._wire.connect(address, port, self._time_left(host, deadline))
            except OSError as error:
                reasons.add(error.errno)
        if reasons <= _NO_NETWORK:
            raise Unavailable(Sentence(mark("%(host)s can’t be reached: this machine has no network."), host=host))
        raise Unavailable(Sentence(mark("%(host)s doesn’t answer."), host=host))

    def _secured(self, line: socket.socket, host: str, deadline: float) -> socket.socket:
        line.settimeout(self._time_left(host, deadline))
        try:
            return self._wire.tls().wrap_socket(line, server_hostname=host)
        except ssl.SSLCertVerificationError:
            trouble: BadAnswer | Unavailable = BadAnswer(
                Sentence(mark("The certificate of %(host)s isn’t valid, so we don’t connect to it."), host=host)
            )
        except (OSError, ValueError):
            trouble = Unavailable(Sentence(mark("%(host)s doesn’t answer over HTTPS."), host=host))
        raise trouble

    def _time_left(self, host: str, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unavailable(self._too_slow(host))
        return min(left, self._patience.timeout_seconds)


def _all_of(blocks: Iterator[bytes], host: str) -> Iterator[bytes]:
    """Yield the blocks. Raises Unavailable if they break off."""
    while True:
        try:
            block = next(blocks, None)
        except (OSError, http.client.HTTPException):
            break
        if block is None:
            return
        yield block
    raise _broken_off(host)


def _broken_off(host: str) -> Unavailable:
    return Unavailable(Sentence(mark("%(host)s stopped in the middle of its answer."), host=host))


def _too_many_redirects(url: str) -> BadAnswer:
    host = urlsplit(url).hostname or ""
    return BadAnswer(Sentence(mark("%(host)s redirects us too often, so we stopped reading."), host=host))


def _no_address() -> Sentence:
    return Sentence(mark("This isn’t the address of a server on the internet. Check its spelling."))
