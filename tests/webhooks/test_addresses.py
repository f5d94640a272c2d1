"""Which addresses are asked: never a private network, and where no answer comes, not for long."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory import net
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.webhooks import services
from botfactory.webhooks.models import Delivery
from tests.jobs.test_api import submit
from tests.tweets.sources.networks import PUBLIC, Network
from tests.webhooks.helpers import deliver_all, make
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_redirect_is_not_followed(alice: User, settings: Any) -> None:
    with Receiver() as inside, Receiver(307, headers={"Location": inside.url}) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url, inside.url]
        make(alice, server.url)
        jobs.cancel(submit(alice))
        deliver_all()
        assert (len(server.requests), inside.requests) == (1, [])
    row = Delivery.objects.get()
    assert (row.status, row.state) == (307, "pending") and "no redirect is followed" in row.error


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
def test_a_name_that_leads_into_a_private_network_is_not_asked(
    alice: User, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [(0, 0, 0, "", (address, 443))])
    monkeypatch.setattr(socket, "create_connection", lambda *args, **more: asked.append(args))
    make(alice, "https://hooks.example/")
    jobs.cancel(submit(alice))
    deliver_all()
    row = Delivery.objects.get()
    assert "private network" in row.error and (row.status, asked) == (None, [])


def test_it_is_sent_to_the_very_address_that_was_checked() -> None:
    with Receiver() as server:
        network = Network(hooks_example=[[PUBLIC], ["127.0.0.1"]])
        network.port = server.port
        client = net.Client(net.Patience(5, 10, 0), also_http=True, wire=network.wire())
        assert client.post("http://hooks.example/", {}, b"{}").status == 204
        assert network.connected == [(PUBLIC, 80)] and network.resolved == ["hooks.example"]
        with pytest.raises(net.Refused, match="private network"):
            client.post("http://hooks.example/", {}, b"{}")
        assert len(server.requests) == 1


def test_a_server_that_says_nothing_is_given_up_in_time(alice: User, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = net.Client(net.Patience(0.3, 5, 0), trusted=[url], also_http=True)
        started = timezone.now()
        with pytest.raises(net.Unavailable):
            client.post(url, {}, b"{}")
        assert timezone.now() - started < timedelta(seconds=3)


@pytest.mark.parametrize("address", ["ftp://a.example/", "//a.example", "https://", "https://u:p@a.example/"])
def test_what_is_no_address_is_refused(alice: User, address: str) -> None:
    with pytest.raises(services.BadUrl):
        make(alice, address)
