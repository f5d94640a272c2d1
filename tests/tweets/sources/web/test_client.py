"""Our requests never reach a private network or reveal a secret, and they verify the server."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from botfactory.net import Wire, origin_of
from tests.fakes.server import Answer, Replay
from tests.tweets.sources.networks import FINE, PUBLIC, PUBLIC_6, Network, SecureServer, moved, serving, settings
from tweets.sources.base import (
    BadAnswer,
    RefusedAddress,
    SourceError,
    SourceUnavailable,
    UnknownServer,
)
from tweets.sources.web.client import Client
from tweets.sources.x.settings import XSettings

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
        with pytest.raises(BadAnswer, match="too often"):
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
        client = Client(settings(own=XSettings(bearer_token="geheim")), wire=network.wire())
        client.get("https://fine.example/")
        client.get("https://fine.example/")
    assert len(server.requests) == 4
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
