"""Requests to servers that people name: never into a private network, never for too much, never for too long.

A host is resolved here, each of its addresses is checked, and the connection goes to the very address that was checked:
a name that leads elsewhere a moment later changes nothing. Redirects are followed here, with the same check each time,
or not at all. Pure: no Django, so that sources of posts and webhooks both may use it.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import certifi
import idna

Resolver = Callable[[str, int], Sequence[str]]
Connector = Callable[[str, int, float], socket.socket]

_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_NO_NETWORK = frozenset({errno.ENETUNREACH, errno.ENETDOWN})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_BLOCK = 1 << 16
#: The first byte of each gzip member.
_GZIP = 0x1F
#: Of one answer, and far more than servers make. Each costs time, also one that holds nothing.
_MAX_MEMBERS = 1_000
_AS_IT_IS = "/%:@!$&'()*+,;=~?[]"  # of an address: quoted already, or nothing to quote
_NO_ADDRESS = "That is not the address of a server on the internet. Check the spelling of its name."
#: Ports below this one belong to other protocols, to which nobody shall make us speak; but for those of HTTP.
_FIRST_FREE_PORT = 1024
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Networks for special purposes that not every version of `ipaddress` takes for one.
_SPECIAL = [
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
]


class NetError(Exception):
    """The message is a sentence for the person."""


class Refused(NetError):
    """The server is in a private network, or it is not to be asked for another reason."""


class UnknownHost(NetError):
    """There is no server of this name, as far as this machine can tell: without a network none has one."""

    def __init__(self, host: str, *, is_possible: bool = True) -> None:
        """`is_possible` is False for a name that no network anywhere could know."""
        super().__init__(f"There is no server {host}. Check the spelling of its name.")
        self.host, self.is_possible = host, is_possible


class Unavailable(NetError):
    """The server does not answer, or not in time; another try may help."""


class BadAnswer(NetError):
    """The server answered, but in a way that cannot be used; another try would not help."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, and how much is taken."""

    timeout_seconds: float  # without a byte from the other side
    total_seconds: float  # for one answer, with its redirects
    max_answer_bytes: int  # after gzip is undone


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, whatever its status. Names of headers are in lower case, the body is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, the best first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connected(address: str, port: int, timeout: float) -> socket.socket:
    """A connection to an address (never a name)."""
    return socket.create_connection((address, port), timeout)


@cache
def _trusted_authorities() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True, slots=True)
class Wire:
    """How the outside is reached; tests put a network of their own in its place."""

    resolve: Resolver = resolved
    connect: Connector = connected
    tls: Callable[[], ssl.SSLContext] = _trusted_authorities


def is_public(address: str) -> bool:
    """True for an address of the public internet, False for every private, local, shared, reserved or multicast one.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, NAT64) is as public as the one that it carries.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        carried = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            carried = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(str(carried))
        if found not in _GLOBAL_UNICAST:
            return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _SPECIAL)


def origin_of(url: str) -> str:
    """Scheme, host and port of an address in one spelling: "https://example.com:443". ValueError for what is none."""
    parts = urlsplit(url.strip())
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    if not parts.hostname or port is None:
        raise ValueError(f"{url!r} is not the address of a server, such as https://example.com.")
    return f"{parts.scheme}://{_ascii(parts.hostname)}:{port}"


class Client:
    """Asks over HTTPS on the public internet; the origins in `trusted`, wherever and however they are.

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
        """The answer to a GET, redirects followed; no cookie and no secret is ever sent.

        Raises Refused, UnknownHost and BadAnswer for what another try would not change, Unavailable for a server that
        does not answer, not in time, or with more than `max_answer_bytes`.
        """
        deadline = time.monotonic() + self._patience.total_seconds
        sent = {**headers, "Accept-Encoding": "gzip"}
        for _ in range(_MAX_REDIRECTS + 1):
            parts = self._checked(url)
            answer = self._ask("GET", parts, sent, None, deadline)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            url = urljoin(parts.geturl(), location)
        raise BadAnswer(f"{_host(url)} sends us round in circles, so nothing was read from it.")

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a POST without its body, of which nothing is read. No redirect is followed. Raises as `get`."""
        deadline = time.monotonic() + self._patience.total_seconds
        return self._ask("POST", self._checked(url), headers, body, deadline)

    def check(self, url: str) -> None:
        """Raise Refused for an address that may not be asked, as far as it can be told without looking up its name."""
        self._checked(url)

    def leads_inside(self, url: str, *, lookup_seconds: float) -> bool:
        """Return whether the name of an address leads into a private network, as far as it can be found out in time.

        One that isn't there leads nowhere yet. Each request looks it up anew.
        """
        parts = self._checked(url)
        if self._is_trusted(parts):
            return False
        found = self._looked_up(_ascii(parts.hostname or ""), _port(parts), lookup_seconds)
        return not all(is_public(address) for address in found)

    def _looked_up(self, host: str, port: int, seconds: float) -> list[str]:
        """Return the addresses of a host, none where there are none in time. The system knows no time-out for this."""
        found: list[str] = []

        def look() -> None:
            with contextlib.suppress(OSError, UnicodeError):
                found.extend(self._wire.resolve(host, port))

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(seconds)
        return list(found)

    def _checked(self, url: str) -> SplitResult:
        """The parts of an address that may be asked, as far as it can be told without resolving its host."""
        try:
            parts = urlsplit(url)
            host, port = _ascii(parts.hostname or ""), parts.port
        except ValueError:
            raise Refused(_NO_ADDRESS) from None
        if "@" in parts.netloc or not host:
            raise Refused(_NO_ADDRESS)
        if self._is_trusted(parts):
            return parts
        if parts.scheme != "https" and not (self._also_http and parts.scheme == "http"):
            ways = "HTTPS or HTTP" if self._also_http else "HTTPS"
            raise Refused(f"{host} is reached over {ways} only, and this is another way: it is not asked.")
        usual = port in (None, 443) or (self._also_http and (port == 80 or port >= _FIRST_FREE_PORT))
        if not usual:
            raise Refused(f"{host} is not asked at port {port}: only at the usual one of HTTPS{self._other_ports()}.")
        return parts

    def _other_ports(self) -> str:
        return f" or HTTP, or one from {_FIRST_FREE_PORT} on" if self._also_http else ""

    def _is_trusted(self, parts: SplitResult) -> bool:
        try:
            return origin_of(f"{parts.scheme}://{parts.netloc}") in self._trusted
        except ValueError:
            return False

    def _ask(
        self, method: str, parts: SplitResult, headers: Mapping[str, str], body: bytes | None, deadline: float
    ) -> Answer:
        host = _ascii(parts.hostname or "")
        port = _port(parts)
        addresses = self._addresses(host, port, any_address=self._is_trusted(parts))
        with contextlib.ExitStack() as held:
            line = held.enter_context(contextlib.closing(self._connect(host, port, addresses, deadline)))
            if parts.scheme == "https":
                line = held.enter_context(contextlib.closing(self._secured(line, host, deadline)))
            with _cut_off_at(deadline, line) as is_cut_off:
                try:
                    answer = self._exchange(method, line, host, port, parts, headers, body)
                except (OSError, http.client.HTTPException, zlib.error):
                    answer = None
        # Raised outside of `except`, so that the sentence is all that is left of it. A line that was cut looks like the
        # end of an answer that did not announce its length.
        if is_cut_off.is_set():
            raise Unavailable(self._too_slow(host))
        if answer is None:
            raise Unavailable(f"{host} broke off in the middle of its answer.")
        return answer

    def _too_slow(self, host: str) -> str:
        return f"{host} answers too slowly: {self._patience.total_seconds:.0f} seconds are up."

    def _addresses(self, host: str, port: int, *, any_address: bool) -> Sequence[str]:
        addresses: Sequence[str] = ()
        unknown: UnknownHost | None = None
        try:
            addresses = self._wire.resolve(host, port)
        except UnicodeError:
            unknown = UnknownHost(host, is_possible=False)
        except OSError as error:
            unknown = UnknownHost(host) if error.errno in _NO_SUCH_NAME else None
        if unknown is not None:
            raise unknown
        if not addresses:
            raise Unavailable(
                f"The address of {host} can't be found at the moment: its name servers or this machine's network "
                "have trouble."
            )
        # One private address among public ones is reason enough: the next try might be given that one.
        if not any_address and not all(is_public(address) for address in addresses):
            raise Refused(_leads_inside(host))
        return addresses

    def _connect(self, host: str, port: int, addresses: Sequence[str], deadline: float) -> socket.socket:
        reasons = set()
        for address in addresses:
            try:
                return self._wire.connect(address, port, self._time_left(host, deadline))
            except OSError as error:
                reasons.add(error.errno)
        if reasons <= _NO_NETWORK:
            raise Unavailable(f"{host} can't be reached: this machine has no network.")
        raise Unavailable(f"{host} does not answer.")

    def _secured(self, line: socket.socket, host: str, deadline: float) -> socket.socket:
        line.settimeout(self._time_left(host, deadline))
        try:
            return self._wire.tls().wrap_socket(line, server_hostname=host)
        except ssl.SSLCertVerificationError:
            trouble: BadAnswer | Unavailable = BadAnswer(
                f"The certificate of {host} is not in order, so it is not asked."
            )
        except (OSError, ValueError):
            trouble = Unavailable(f"{host} does not answer over HTTPS.")
        raise trouble

    def _time_left(self, host: str, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unavailable(self._too_slow(host))
        return min(left, self._patience.timeout_seconds)

    def _exchange(
        self,
        method: str,
        line: socket.socket,
        host: str,
        port: int,
        parts: SplitResult,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        line.settimeout(self._patience.timeout_seconds)
        connection = _Connection(host, port, line, is_secure=parts.scheme == "https")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(
            method, quote(target, safe=_AS_IT_IS, errors="replace"), body, {**headers, "Connection": "close"}
        )
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, self._body(response, told, host) if method == "GET" else b"")

    def _body(self, response: http.client.HTTPResponse, headers: Mapping[str, str], host: str) -> bytes:
        most = self._patience.max_answer_bytes
        packing = headers.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "gzip"):
            raise BadAnswer(f"{host} packs its answers in a way that nobody asked for ({packing[:20]}).")
        # What comes in is limited too: gzip can go on for ever without a byte coming out.
        blocks = _at_most(most, _blocks(response), host)
        if packing == "gzip":
            blocks = _at_most(most, _gunzipped(blocks, most, host), host)
        return b"".join(blocks)


class _Connection(http.client.HTTPConnection):
    """Speaks over a line that is there already, and opens no other."""

    auto_open = 0

    def __init__(self, host: str, port: int, line: socket.socket, *, is_secure: bool) -> None:
        super().__init__(f"[{host}]" if ":" in host else host, port)
        self.default_port = 443 if is_secure else 80  # the Host header leaves it out
        self.sock = line


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes; IncompleteRead when less came than was announced."""
    announced, read = response.length, 0
    while block := response.read(_BLOCK):
        read += len(block)
        yield block
    if announced is not None and read < announced:
        raise http.client.IncompleteRead(b"", announced - read)


def _at_most(most: int, blocks: Iterable[bytes], host: str) -> Iterator[bytes]:
    """The blocks, which have `most` bytes together; BadAnswer at the first that is too much."""
    total = 0
    for block in blocks:
        total += len(block)
        if total > most:
            raise BadAnswer(f"{host} sends more than {most // 1_000_000} MB at once, so nothing was read from it.")
        yield block


def _gunzipped(blocks: Iterable[bytes], most: int, host: str) -> Iterator[bytes]:
    """The unpacked body in small pieces, so that whoever sums them up can stop early.

    A body has one gzip member or several (RFC 1952, section 2.2). What follows them and doesn't begin like another one
    is padding: nothing of it is kept, and no further block is read. IncompleteRead when the last member has no end.
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
                    raise BadAnswer(f"{host} packs an answer in more than {_MAX_MEMBERS:,} parts, so it wasn't read.")
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


@contextlib.contextmanager
def _cut_off_at(deadline: float, line: socket.socket) -> Iterator[threading.Event]:
    """At the deadline the line is shut: however slowly its bytes drip, whoever waits for them wakes up."""
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


def _ascii(host: str) -> str:
    """The host as DNS knows it, "bücher.example" too; ValueError for what can be none."""
    host = host.rstrip(".").lower()
    if re.fullmatch(r"[0-9a-z._:-]*", host):  # names, IPv4 and, without brackets, IPv6
        return host
    return idna.encode(host, uts46=True).decode("ascii")  # its errors are ValueErrors


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _leads_inside(host: str) -> str:
    return f"{host} leads into a private network, so it is not asked."


def _host(url: str) -> str:
    return urlsplit(url).hostname or "The server"
