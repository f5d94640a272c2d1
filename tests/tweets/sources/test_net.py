"""No request of ours reaches a private network, comes back with too much, or hangs."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from botfactory.net import Wire, is_public, origin_of
from tests.fakes.server import Answer, FakeServer, Replay
from tweets.sources.base import (
    BadAnswer,
    RefusedAddress,
    SourceError,
    SourceSettings,
    SourceUnavailable,
    UnknownServer,
)
from tweets.sources.net import Client

PUBLIC = "93.184.216.34"
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"
FINE = Answer(200, {"fine": True})


class Network:
    """An internet of our own: names lead to addresses, and each connection is noted and led to a local server."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, **names: list[str] | list[list[str]]) -> None:
        self._names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.resolved: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.port = 0
        self._tls = tls or ssl.create_default_context()

    def wire(self) -> Wire:
        return Wire(resolve=self._resolve, connect=self._connect, tls=lambda: self._tls)

    def _resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        found: Any = self._names.get(host)
        if found is None:
            try:
                return [str(ipaddress.ip_address(host))]
            except ValueError:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        if found and isinstance(found[0], list):  # another answer each time
            return list(found.pop(0) if len(found) > 1 else found[0])
        return list(found)

    def _connect(self, address: str, port: int, timeout: float) -> socket.socket:
        self.connected.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What a client believes: the authority of these tests and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def settings(**options: Any) -> SourceSettings:
    return SourceSettings(**{"timeout_seconds": 5.0, "total_seconds": 10.0, **options})


class SecureServer(FakeServer):
    """Answers over HTTPS by path."""

    def __init__(self, tls: ssl.SSLContext, answers: Mapping[str, Answer] | None = None) -> None:
        super().__init__(tls=tls)
        self.answers = answers or {}

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        return self.answers.get(path, FINE)


def moved(where: str, status: int = 302) -> Answer:
    return Answer(status, "", {"Location": where})


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with a connection whatever it likes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_served, args=(serve, line), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _served(serve: Callable[[socket.socket], None], line: socket.socket) -> None:
    try:
        with line:
            line.recv(4096)
            serve(line)
    except OSError:  # the client has gone
        pass


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.254",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [PUBLIC, PUBLIC_6, "1.1.1.1", "172.32.0.1", "100.128.0.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"],
)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_in_whatever_ipv6_address_it_is_carried(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    carried = [f"::ffff:{address}", str(ipaddress.IPv6Address(0x64FF9B << 96 | number))]
    carried.append(str(ipaddress.IPv6Address(0x2002 << 112 | number << 80)))
    assert {is_public(each) for each in carried} == {is_public(str(address))}
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_outside_of_global_unicast_is_public_by_itself(address: ipaddress.IPv6Address) -> None:
    carries = address.ipv4_mapped or address in ipaddress.ip_network("64:ff9b::/96")
    if is_public(str(address)) and not carries:
        assert address in ipaddress.ip_network("2000::/3")


# Where a request may go


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://example.com:8443/",
        "https://example.com:22/",
        "https://name:password@example.com/",
        "https://name@example.com/",
        "https:///path",
        "https://[::1",
        "https://example.com:port/",
        "https://exa mple.com/",
        "https://" + "ü" * 70 + ".example/",
        "//example.com/",
        "",
    ],
)
def test_what_is_not_plain_https_is_refused_before_a_name_is_looked_up(url: str) -> None:
    network = Network(example_com=[PUBLIC])
    with pytest.raises(RefusedAddress, match=r"^[A-Z]?.*\.$"):
        Client(settings(), wire=network.wire()).get(url)
    assert network.resolved == [] and network.connected == []


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/",
        "https://private.example/",
        "https://both.example/",
        "https://mapped.example/",
        "https://PRIVATE.example./",
    ],
)
def test_an_address_in_a_private_network_is_refused_before_it_is_connected_to(url: str) -> None:
    network = Network(
        private_example=["10.0.0.7"],
        both_example=[PUBLIC, "192.168.0.1"],
        mapped_example=["::ffff:127.0.0.1"],
    )
    with pytest.raises(RefusedAddress, match="private network"):
        Client(settings(), wire=network.wire()).get(url)
    assert network.connected == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
def test_other_spellings_of_this_machine_are_refused_too(host: str) -> None:
    with pytest.raises(SourceError) as raised:
        Client(settings()).get(f"https://{host}/")
    assert isinstance(raised.value, RefusedAddress | UnknownServer)


def test_a_name_that_leads_elsewhere_a_moment_later_changes_nothing(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    network = Network(tls=trusting, rebinding_example=[[PUBLIC], ["127.0.0.1"]])
    with SecureServer(serving(authority, "rebinding.example")) as server:
        network.port = server.port
        client = Client(settings(), wire=network.wire())
        assert client.get("https://rebinding.example/").status == 200
        assert network.resolved == ["rebinding.example"]
        assert network.connected == [(PUBLIC, 443)], "the address that was checked, not the name"
        with pytest.raises(RefusedAddress):
            client.get("https://rebinding.example/")
    assert len(network.connected) == 1


def test_the_next_address_is_tried_when_one_does_not_answer(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    network = Network(tls=trusting, both_example=[PUBLIC_6, PUBLIC])
    with SecureServer(serving(authority, "both.example")) as server:
        network.port = server.port

        def connect(address: str, port: int, timeout: float) -> socket.socket:
            if ":" in address:
                raise OSError("Network is unreachable")
            return network._connect(address, port, timeout)

        wire = Wire(resolve=network._resolve, connect=connect, tls=lambda: trusting)
        assert Client(settings(), wire=wire).get("https://both.example/").status == 200
    assert network.connected == [(PUBLIC, 443)]


# TLS


def test_the_name_is_sent_and_verified_though_the_connection_goes_to_an_address(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    asked: list[str | None] = []
    context = serving(authority, "fine.example", "other.example")
    context.sni_callback = lambda line, name, context: asked.append(name)
    network = Network(tls=trusting, fine_example=[PUBLIC], wrong_example=[PUBLIC])
    with SecureServer(context) as server:
        network.port = server.port
        client = Client(settings(), wire=network.wire())
        assert client.get("https://fine.example/a%20b?c=d").body == b'{"fine": true}'
        assert asked == ["fine.example"]
        assert server.requests[0].headers["host"] == "fine.example"
        with pytest.raises(BadAnswer, match="certificate"):
            client.get("https://wrong.example/")
    assert len(server.requests) == 1


def test_a_certificate_of_an_unknown_authority_is_not_accepted(authority: trustme.CA) -> None:
    network = Network(fine_example=[PUBLIC])
    with SecureServer(serving(authority, "fine.example")) as server:
        network.port = server.port
        with pytest.raises(BadAnswer, match="certificate"):
            Client(settings(), wire=network.wire()).get("https://fine.example/")
    assert server.requests == []


def test_a_name_in_another_script_is_reached_as_dns_spells_it(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    network = Network(tls=trusting)
    network._names["xn--bcher-kva.example"] = [PUBLIC]
    with SecureServer(serving(authority, "xn--bcher-kva.example")) as server:
        network.port = server.port
        assert Client(settings(), wire=network.wire()).get("https://Bücher.example/").status == 200
    assert server.requests[0].headers["host"] == "xn--bcher-kva.example"


def test_a_server_that_speaks_no_tls_is_told() -> None:
    network = Network(plain_example=[PUBLIC])
    with Replay(FINE) as server, pytest.raises(SourceUnavailable, match="HTTPS"):
        network.port = server.port
        Client(settings(), wire=network.wire()).get("https://plain.example/")


# Redirects


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://private.example/",
        "http://fine.example/",
        "http://169.254.169.254/",
        "//127.0.0.1/",
        "https://fine.example:8080/",
        "https://name:secret@fine.example/",
        "file:///etc/passwd",
        "https://[::ffff:7f00:1]/",
    ],
)
@pytest.mark.parametrize("hops", [1, 3])
def test_a_redirect_is_checked_like_the_first_address(
    authority: trustme.CA, trusting: ssl.SSLContext, target: str, hops: int
) -> None:
    network = Network(tls=trusting, fine_example=[PUBLIC], private_example=["192.168.7.7"])
    answers = {f"/{n}": moved(f"/{n + 1}") for n in range(1, hops)} | {f"/{hops}": moved(target)}
    with SecureServer(serving(authority, "fine.example"), answers) as server:
        network.port = server.port
        with pytest.raises(RefusedAddress):
            Client(settings(), wire=network.wire()).get("https://fine.example/1")
    assert {address for address, _ in network.connected} == {PUBLIC}
    assert [request.path for request in server.requests] == [f"/{n + 1}" for n in range(hops)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_up_to_five_redirects_are_followed(authority: trustme.CA, trusting: ssl.SSLContext, status: int) -> None:
    network = Network(tls=trusting, fine_example=[PUBLIC], other_example=[PUBLIC_6])
    answers = {f"/{n}": moved(f"https://other.example/{n + 1}", status) for n in range(6)}
    with SecureServer(serving(authority, "fine.example", "other.example"), answers) as server:
        network.port = server.port
        client = Client(settings(), wire=network.wire())
        assert client.get("https://fine.example/1").status == 200
        assert network.connected == [(PUBLIC, 443)] + [(PUBLIC_6, 443)] * 5
        with pytest.raises(BadAnswer, match="circles"):
            client.get("https://fine.example/0")


def test_a_redirect_without_a_target_is_an_answer() -> None:
    with Replay(Answer(302, "nowhere")) as server:
        assert Client(settings(), trusted=[server.url]).get(server.url).status == 302


def test_no_cookie_and_no_secret_is_sent(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    network = Network(tls=trusting, fine_example=[PUBLIC])
    kept = {"Location": "/next", "Set-Cookie": "session=1; Path=/"}
    answers = {"/": Answer(302, "", kept)}
    with SecureServer(serving(authority, "fine.example"), answers) as server:
        network.port = server.port
        client = Client(settings(x_bearer_token="geheim"), wire=network.wire())
        client.get("https://fine.example/")
        client.get("https://fine.example/")
    for request in server.requests:
        assert set(request.headers) == {"host", "accept", "accept-encoding", "connection", "user-agent"}


# What the operator allows


def test_a_server_that_the_operator_has_named_is_reached_wherever_it_is() -> None:
    with Replay(FINE) as server:
        private = settings(private_servers=(server.url,))
        assert Client(private).get(f"{server.url}/a").status == 200
        for other in (f"https://127.0.0.1:{server.port}/", "http://127.0.0.1:1/", "http://localhost/"):
            with pytest.raises(RefusedAddress):
                Client(private).get(other)
        with pytest.raises(RefusedAddress):
            Client(settings()).get(server.url)
    assert len(server.requests) == 1


def test_a_redirect_from_it_leads_to_no_other_private_server() -> None:
    with Replay(FINE) as inner, Replay(moved(f"{inner.url}/secret")) as outer:
        with pytest.raises(RefusedAddress):
            Client(settings(), trusted=[outer.url]).get(outer.url)
        assert inner.requests == []


def test_proxies_in_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Replay(FINE) as server, Replay(FINE) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert Client(settings(), trusted=[server.url]).get(server.url).status == 200
        assert len(server.requests) == 1 and proxy.requests == []


def test_origins_compare_in_one_spelling() -> None:
    assert origin_of("https://Example.com/path") == origin_of(" https://example.com:443") == "https://example.com:443"
    assert origin_of("http://social.lan:3000") == "http://social.lan:3000"
    for wrong in ("", "example.com", "https://", "ftp://example.com", "https://example.com:http"):
        with pytest.raises(ValueError):
            origin_of(wrong)


# Too much, too slow, not whole


def test_an_answer_is_read_up_to_the_limit_and_not_beyond() -> None:
    with Replay(Answer(200, b"x" * 5000)) as server:
        assert len(Client(settings(max_answer_bytes=5000), trusted=[server.url]).get(server.url).body) == 5000
        with pytest.raises(BadAnswer, match="MB at once"):
            Client(settings(max_answer_bytes=4999), trusted=[server.url]).get(server.url)


def test_an_answer_without_an_end_is_given_up() -> None:
    sent = 0

    def serve(line: socket.socket) -> None:
        nonlocal sent
        line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += line.send(b"x" * 65536)

    with raw_server(serve) as url, pytest.raises(BadAnswer):
        Client(settings(max_answer_bytes=300_000), trusted=[url]).get(url)
    assert sent < 20_000_000


def test_a_small_answer_that_unpacks_to_a_large_one_is_given_up() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    with (
        Replay(Answer(200, bomb, {"Content-Encoding": "gzip"})) as server,
        pytest.raises(BadAnswer, match="MB at once"),
    ):
        Client(settings(max_answer_bytes=1_000_000), trusted=[server.url]).get(server.url)


def test_packed_answers_are_unpacked() -> None:
    packed = gzip.compress(b'{"fine": true}' * 10_000)
    answers = [
        Answer(200, packed, {"Content-Encoding": "gzip"}),
        Answer(200, b"", {"Content-Encoding": "gzip"}),
        Answer(200, packed[:-9], {"Content-Encoding": "gzip"}),
        Answer(200, b"not packed", {"Content-Encoding": "gzip"}),
        Answer(200, packed, {"Content-Encoding": "br"}),
    ]
    with Replay(*answers) as server:
        client = Client(settings(), trusted=[server.url])
        assert client.get(server.url).body == b'{"fine": true}' * 10_000
        assert client.get(server.url).body == b""
        for kind in (SourceUnavailable, SourceUnavailable, BadAnswer):
            with pytest.raises(kind):
                client.get(server.url)


def drip(beginning: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def serve(line: socket.socket) -> None:
        line.sendall(beginning)
        while True:
            line.sendall(drop)
            time.sleep(0.05)

    return serve


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_however_slowly_an_answer_drips_it_ends_in_time(beginning: bytes, drop: bytes) -> None:
    started = time.monotonic()
    with raw_server(drip(beginning, drop)) as url, pytest.raises(SourceUnavailable, match="slowly"):
        Client(settings(total_seconds=0.6), trusted=[url]).get(url)
    assert time.monotonic() - started < 5


def test_a_server_that_says_nothing_is_given_up(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    def silent(line: socket.socket) -> None:
        time.sleep(20)

    with raw_server(silent) as url:
        with pytest.raises(SourceUnavailable):
            Client(settings(timeout_seconds=0.3), trusted=[url]).get(url)
        network = Network(tls=trusting, silent_example=[PUBLIC])
        network.port = int(url.rsplit(":", 1)[1])
        with pytest.raises(SourceUnavailable, match="HTTPS"):
            Client(settings(timeout_seconds=0.3), wire=network.wire()).get("https://silent.example/")


def test_time_spent_on_redirects_counts() -> None:
    class Slow(FakeServer):
        def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
            time.sleep(0.3)
            return moved(path + "x")

    started = time.monotonic()
    with Slow() as server, pytest.raises(SourceUnavailable, match="slowly"):
        Client(settings(total_seconds=0.5), trusted=[server.url]).get(f"{server.url}/x")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"220 smtp.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_whole_or_not_http_is_unavailable(said: bytes) -> None:
    with raw_server(lambda line: line.sendall(said)) as url, pytest.raises(SourceUnavailable) as raised:
        Client(settings(), trusted=[url]).get(url)
    assert raised.value.transient and raised.value.__context__ is None


def test_an_unknown_name_and_a_dead_port_are_told_apart() -> None:
    network = Network()
    with pytest.raises(UnknownServer, match="nowhere"):
        Client(settings(), wire=network.wire()).get("https://nowhere.example/")
    with pytest.raises(SourceUnavailable, match="does not answer"):
        Client(settings(), trusted=["http://127.0.0.1:9"]).get("http://127.0.0.1:9/")

    def no_dns(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.raises(SourceUnavailable, match="at the moment"):
        Client(settings(), wire=Wire(resolve=no_dns)).get("https://example.com/")


@pytest.mark.parametrize("host", ["a..example", "x" * 300 + ".example"])
def test_a_name_that_no_dns_knows_is_no_accident(host: str) -> None:
    with pytest.raises(UnknownServer):
        Client(settings()).get(f"https://{host}/")


@given(st.text(max_size=80))
def test_any_address_is_refused_with_a_sentence_or_looked_up(url: str) -> None:
    network = Network()
    for address in (url, f"https://{url}", f"https://{url}/", f"https://example.com/{url}"):
        with pytest.raises(SourceError):
            Client(settings(), wire=network.wire()).get(address)
    assert network.connected == [] or all(is_public(address) for address, _ in network.connected)
