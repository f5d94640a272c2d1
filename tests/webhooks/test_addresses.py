"""Which addresses webhooks use: never a private network, and without an answer only briefly."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from botfactory import net
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.webhooks import services
from botfactory.webhooks.models import Delivery, Webhook
from tests.conftest import signed_in
from tests.jobs.test_api import submit
from tests.rest.helpers import Program, require_error
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
    assert (row.status, row.state) == (307, "pending") and "Redirects aren’t followed" in row.error


def leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Accept every name."""
    found = [(0, 0, 0, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)


INSIDE = [
    "http://127.0.0.1:8000/",
    "https://localhost/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.7]/",
    "http://169.254.169.254/latest/meta-data",
    # Other spellings of 127.0.0.1.
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_no_webhook_is_made_for_an_address_in_a_private_network(alice: User, url: str) -> None:
    require_error(Program(alice).post("/webhooks", {"url": url}, Idempotency_Key="one"), 422, "bad_url", "url")
    page = signed_in(alice).post("/webhooks/", {"url": url, "events": ["job.failed"]})
    assert page.status_code == 400 and "is in a private network" in page.content.decode()
    assert not Webhook.objects.exists()


def test_none_is_made_for_a_name_that_leads_there_by_one_of_its_addresses(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, PUBLIC, "10.0.0.7")
    with pytest.raises(services.BadUrl, match="private network"):
        make(alice, "https://hooks.example/")


def test_none_is_led_there_later(alice: User) -> None:
    webhook = make(alice, "https://hooks.example/").webhook
    answer = Program(alice).ask("PATCH", f"/webhooks/{webhook.pk}", {"url": "https://localhost/"})
    require_error(answer, 422, "bad_url", "url")
    page = signed_in(alice).post(f"/webhooks/{webhook.pk}/", {"url": "https://localhost/", "events": ["job.failed"]})
    assert page.status_code == 400 and "is in a private network" in page.content.decode()
    webhook.refresh_from_db()
    assert webhook.url == "https://hooks.example/"


def test_what_the_operator_allows_is_no_longer_private(alice: User, settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_SERVERS = ["http://localhost:9999"]
    assert make(alice, "http://localhost:9999/bots").webhook.url == "http://localhost:9999/bots"
    with pytest.raises(services.BadUrl):
        make(alice, "http://localhost:9998/bots")


def test_a_name_that_is_not_there_yet_passes_and_one_that_hangs_holds_up_nobody(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*args: Any, **more: Any) -> Any:
        released.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    released = threading.Event()
    monkeypatch.setattr(services, "_LOOKUP_SECONDS", 0.05)
    assert make(alice, "https://no-such-name.invalid/").webhook.pk
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert make(alice, "https://hangs.example/").webhook.pk
    released.set()


def test_nobody_waits_for_the_database_while_a_name_is_looked_up(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    look = net.Client.leads_inside

    def noting(client: net.Client, url: str, *, lookup_seconds: float) -> bool:
        seen.append(connection.in_atomic_block)
        return look(client, url, lookup_seconds=lookup_seconds)

    monkeypatch.setattr(net.Client, "leads_inside", noting)
    program = Program(alice)
    made = program.post("/webhooks", {"url": "https://a.example/"}, Idempotency_Key="one").json()
    program.ask("PATCH", f"/webhooks/{made['id']}", {"url": "https://b.example/"})
    signed_in(alice).post("/webhooks/", {"url": "https://c.example/", "events": ["job.failed"]})
    assert seen == [False] * 3


def test_an_old_webhook_is_changed_though_its_address_is_private_by_now(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make(alice, "https://hooks.example/").webhook
    leads_to(monkeypatch, "10.0.0.7")
    changed = services.change(webhook, url=webhook.url, events=["job.failed"])
    assert changed.events == ["job.failed"]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
def test_a_name_that_leads_into_a_private_network_is_not_asked(
    alice: User, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    asked: list[Any] = []
    make(alice, "https://hooks.example/")
    # Only from now on.
    leads_to(monkeypatch, address)
    monkeypatch.setattr(socket, "create_connection", lambda *args, **more: asked.append(args))
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
