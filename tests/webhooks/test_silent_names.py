"""Name servers that say nothing. The system has no deadline for a look-up, and no way to end one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.utils import timezone

from botfactory import net
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.net import wire
from botfactory.webhooks import delivery, services
from botfactory.webhooks.models import Delivery
from tests.jobs.test_api import submit
from tests.tweets.sources.networks import PUBLIC
from tests.webhooks.helpers import deliver_all, make


class Silent:
    """Look-ups that hang until they are released."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.released = threading.Event()

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.begun.append(host)
        assert self.released.wait(60)
        return [PUBLIC]

    def getaddrinfo(self, host: str, port: int, **more: Any) -> Any:
        return [(None, None, None, None, (address, port)) for address in self.resolve(host, port)]


@pytest.fixture
def silent() -> Iterator[Silent]:
    found = Silent()
    yield found
    found.released.set()


@pytest.mark.django_db(transaction=True)
def test_a_silent_name_server_holds_a_delivery_no_longer_than_a_try_may_take(
    alice: User, silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_LOOKUP_SECONDS", 0.05)
    monkeypatch.setattr(services, "_PATIENCE", net.Patience(0.2, 0.4, 0))
    monkeypatch.setattr(socket, "getaddrinfo", silent.getaddrinfo)
    for number in range(4):
        make(alice, f"https://hooks{number}.example/")
    jobs.cancel(submit(alice))
    started = timezone.now()
    assert deliver_all() == 4
    assert timezone.now() - started < delivery.LEASE / 6
    rows = list(Delivery.objects.all())
    assert [(row.state, row.attempts) for row in rows] == [(Delivery.State.PENDING, 1)] * 4
    assert all("can’t be found at the moment" in row.error for row in rows)


def test_look_ups_that_hang_do_not_pile_up_and_leave_their_places_when_they_end(silent: Silent) -> None:
    outside = net.Wire(resolve=silent.resolve)
    for number in range(wire.MAX_LOOKUPS + 5):
        with pytest.raises(TimeoutError):
            outside.addresses(f"{number}.example", 443, seconds=0.01)
    assert len(silent.begun) == wire.MAX_LOOKUPS
    silent.released.set()
    assert outside.addresses("late.example", 443, seconds=30) == [PUBLIC]
