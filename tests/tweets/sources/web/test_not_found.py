"""If a server can't be found, the error says who can fix it: the network, the operator or the person."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trustme

from botfactory.net import Wire
from tests.tweets.sources.networks import PUBLIC, Network, SecureServer, moved, serving
from tweets.sources.base import BadAnswer, SourceError, SourceSettings, SourceUnavailable, UnknownServer
from tweets.sources.bluesky.reader import BlueskySource
from tweets.sources.bluesky.settings import BlueskySettings
from tweets.sources.mastodon.reader import MastodonSource
from tweets.sources.web.client import Client

BLUESKY = "https://public.api.bsky.app"


def asked(wire: Wire, source: str, **options: Any) -> SourceError:
    """The error of the first page of an account, on a machine with this network."""
    settings = SourceSettings(**{"retry_delays": (), **options})
    of_operator = [settings.of(BlueskySettings).api_url] if source == "bluesky" else []
    client = Client(settings, trusted=of_operator, wire=wire)
    made = (
        BlueskySource("name.bsky.social", settings, client=client)
        if source == "bluesky"
        else MastodonSource(source, settings, client=client)
    )
    with pytest.raises(SourceError) as raised:
        next(made.pages())
    assert raised.value.__context__ is None
    return raised.value


@pytest.mark.parametrize("source", ["bluesky", "name@social.example", "name@mastodon.social", "name@bücher.example"])
def test_a_machine_that_finds_no_name_says_so_of_itself(source: str) -> None:
    error = asked(Network().wire(), source)
    assert isinstance(error, SourceUnavailable) and error.transient
    assert "This machine can’t look up names" in error.message and "spelling" not in error.message
    assert ("Bluesky can’t be reached." in error.message) is (source == "bluesky")


def lookup_fails(number: int) -> Callable[[str, int], Sequence[str]]:
    def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(number, "of no matter")

    return resolve


@pytest.mark.parametrize("source", ["bluesky", "name@social.example"])
def test_a_lookup_that_may_work_later_is_tried_again(source: str) -> None:
    error = asked(Wire(resolve=lookup_fails(socket.EAI_AGAIN)), source)
    assert isinstance(error, SourceUnavailable) and "this machine’s network" in error.message


def test_names_that_are_looked_up_to_find_out_why_hold_up_nobody() -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        if host != "social.example":
            assert released.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "of no matter")

    released = threading.Event()
    started = time.monotonic()
    error = asked(Wire(resolve=resolve), "name@social.example", timeout_seconds=0.2, total_seconds=0.3)
    assert time.monotonic() - started < 10
    assert isinstance(error, SourceUnavailable) and "This machine can’t look up names" in error.message
    released.set()


def connect_fails(number: int) -> Callable[[str, int, float], socket.socket]:
    def connect(address: str, port: int, timeout: float) -> socket.socket:
        raise OSError(number, "of no matter")

    return connect


def test_a_machine_without_a_network_is_told_from_a_server_that_does_not_answer() -> None:
    everywhere: Callable[[str, int], Sequence[str]] = lambda host, port: [PUBLIC, "93.184.216.35"]  # noqa: E731
    gone = asked(Wire(everywhere, connect_fails(errno.ENETUNREACH)), "name@social.example")
    assert gone.message == "social.example can’t be reached: this machine has no network." and gone.transient
    refused = asked(Wire(everywhere, connect_fails(errno.ECONNREFUSED)), "bluesky")
    assert refused.message == "Bluesky can’t be reached. public.api.bsky.app doesn’t answer." and refused.transient


def test_a_server_that_the_operator_has_set_is_nobodys_misspelling() -> None:
    online = Network(public_api_bsky_app=[PUBLIC], mastodon_social=[PUBLIC]).wire()
    error = asked(online, "bluesky", own=BlueskySettings(api_url="https://proxy.example"))
    assert isinstance(error, SourceUnavailable) and error.transient
    assert "set up to use the server proxy.example, but can’t find it" in error.message
    # A server inside the network works without the internet.
    inside = asked(Network().wire(), "name@social.lan:3000", private_servers=("http://social.lan:3000",))
    assert isinstance(inside, SourceUnavailable) and "server social.lan, but can’t find it" in inside.message


def test_blueskys_own_server_may_be_missing_alone() -> None:
    error = asked(Network(mastodon_social=[PUBLIC]).wire(), "bluesky", own=BlueskySettings(api_url=BLUESKY))
    assert isinstance(error, SourceUnavailable) and "server public.api.bsky.app, but can’t find it" in error.message


@pytest.mark.parametrize("online", [Network(public_api_bsky_app=[PUBLIC]), Network(mastodon_social=[PUBLIC])])
def test_a_server_that_was_misspelled_is_said_to_be(online: Network) -> None:
    for host in ("masto.example", "bücher.example"):
        error = asked(online.wire(), f"name@{host}")
        assert isinstance(error, UnknownServer) and not error.transient
        assert "Check the spelling" in error.message


def test_a_server_that_sends_us_nowhere_is_named(authority: trustme.CA, trusting: Any) -> None:
    with SecureServer(serving(authority, "old.example"), {"/": moved("https://gone.example/")}) as server:
        network = Network(tls=trusting, old_example=[PUBLIC], mastodon_social=[PUBLIC])
        network.port = server.port
        with pytest.raises(BadAnswer, match=r"old\.example redirects to gone\.example, and there is no such server"):
            Client(SourceSettings(), wire=network.wire()).get("https://old.example/")
