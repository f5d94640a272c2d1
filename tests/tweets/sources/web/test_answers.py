"""No answer is too large, hangs, or passes for complete if it isn't."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable, Mapping

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from botfactory.net import Wire, is_public
from botfactory.net.exchange import gunzipped
from tests.fakes.server import Answer, FakeServer, Replay
from tests.tweets.sources.networks import PUBLIC, Network, moved, raw_server, settings
from tweets.sources.base import (
    BadAnswer,
    SourceError,
    SourceUnavailable,
    UnknownServer,
)
from tweets.sources.web.client import Client


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


def sending(
    beginning: bytes, block: bytes, most: int = 60_000_000
) -> tuple[Callable[[socket.socket], None], list[int]]:
    """A server that sends the start of a compressed answer, then repeats a block, and counts the bytes."""
    sent: list[int] = []

    def serve(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + beginning)
        while sum(sent) < most:
            sent.append(line.send(block))

    return serve, sent


def test_what_comes_after_the_end_of_a_packed_answer_is_not_read() -> None:
    serve, sent = sending(gzip.compress(b"fine"), bytes(1 << 16))
    tracemalloc.start()
    try:
        with raw_server(serve) as url:
            assert Client(settings(), trusted=[url]).get(url).body == b"fine"
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sent) < 20_000_000 and most < 5_000_000


@pytest.mark.parametrize(
    ("beginning", "block", "why"),
    [
        # Each is valid, and nothing ever comes out: members, blocks, the name of a file.
        (b"", gzip.compress(b"", mtime=0) * 3000, "parts"),
        (gzip.compress(b"fine", mtime=0)[:10], b"\0\0\0\xff\xff" * 10_000, "MB at once"),
        (b"\x1f\x8b\x08\x08" + bytes(6), b"x" * 50_000, "MB at once"),
    ],
    ids=["members", "blocks", "header"],
)
def test_a_packed_answer_that_never_says_anything_is_given_up(beginning: bytes, block: bytes, why: str) -> None:
    serve, sent = sending(beginning, block)
    with raw_server(serve) as url, pytest.raises(BadAnswer, match=why):
        Client(settings(max_answer_bytes=1_000_000), trusted=[url]).get(url)
    assert sum(sent) < 20_000_000


def test_a_packed_answer_may_have_several_parts_and_padding_after_them() -> None:
    first, second = gzip.compress(b"to"), gzip.compress(b"gether" * 30_000)
    whole = b"to" + b"gether" * 30_000
    headers = {"Content-Encoding": "gzip"}
    answers = [Answer(200, first + second, headers), Answer(200, first + second + bytes(5000), headers)]
    with Replay(*answers, Answer(200, first + second[:-20], headers)) as server:
        client = Client(settings(), trusted=[server.url])
        assert client.get(server.url).body == whole
        assert client.get(server.url).body == whole
        with pytest.raises(SourceUnavailable, match="stopped in the middle"):
            client.get(server.url)
        with pytest.raises(BadAnswer, match="MB at once"):
            server.left = [Answer(200, first + second, headers)]
            Client(settings(max_answer_bytes=len(whole) - 1), trusted=[server.url]).get(server.url)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 40))
def test_parts_are_found_wherever_the_blocks_break(parts: list[bytes], size: int) -> None:
    packed = b"".join(gzip.compress(part) for part in parts)
    blocks = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert b"".join(gunzipped(blocks, 10_000, "server.example")) == b"".join(parts)


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
    assert time.monotonic() - started < 300


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
    assert time.monotonic() - started < 30


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
    network = Network(mastodon_social=[PUBLIC])
    with pytest.raises(UnknownServer, match="nowhere"):
        Client(settings(), wire=network.wire()).get("https://nowhere.example/")
    with pytest.raises(SourceUnavailable, match="doesn’t answer"):
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
