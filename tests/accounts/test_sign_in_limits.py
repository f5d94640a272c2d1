"""Guessing passwords is limited per account and address, across all processes, and never locks the owner out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client

from botfactory.accounts.models import User
from botfactory.broker import shared_cache
from tests.conftest import PASSWORD
from tests.product import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

SIGN_IN = "/accounts/login/"
TOO_MANY = "Too many failed attempts. Wait five minutes"
WRONG = "not the password"


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def try_password(address: str, password: str, name: str = "alice") -> str:
    """Return what a new browser at that address gets for the name and password: `in`, `wrong`, `wait` or `429`."""
    client = Client(REMOTE_ADDR=address)
    answer = client.post(SIGN_IN, {"login": name, "password": password})
    if answer.status_code == 302:
        return "in"
    page = answer.content.decode()
    return "429" if answer.status_code == 429 else "wait" if TOO_MANY in page else "wrong"


def test_wrong_passwords_lock_an_account_for_the_address_that_they_come_from_only(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(email="alice@example.org")
    tried = [try_password("203.0.113.5", WRONG, name) for name in ("alice", "ALICE", "alice@example.org") * 2]
    assert tried == ["wrong"] * 5 + ["wait"]
    assert try_password("203.0.113.5", PASSWORD) == "wait"
    assert try_password("198.51.100.7", PASSWORD) == "in"
    # Nor is anybody else locked out there.
    User.objects.create_user("bob", password=PASSWORD)
    assert try_password("203.0.113.5", PASSWORD, "bob") == "in"


def test_one_address_tries_few_passwords_in_a_minute_whatever_the_names(alice: User) -> None:
    tried = [try_password("203.0.113.5", WRONG, f"nobody{number}") for number in range(11)]
    assert tried == ["wrong"] * 10 + ["wait"]
    assert try_password("198.51.100.7", WRONG) == "wrong"


def test_addresses_of_one_ipv6_network_count_as_one(alice: User) -> None:
    tried = [try_password(f"2001:db8:1:2::{number:x}", WRONG) for number in range(6)]
    assert tried == ["wrong"] * 5 + ["wait"]
    assert try_password("2001:db8:1:3::1", WRONG) == "wrong"


def test_many_addresses_that_guess_at_one_account_are_slowed_and_its_owner_is_not(
    alice: User, settings: LazySettings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {
        **settings.ACCOUNT_RATE_LIMITS,
        "login_failed_anywhere": "4/h/key",
        "login_slowed": "1/h/key",
    }
    assert try_password("192.0.2.1", PASSWORD) == "in"
    assert [try_password(f"203.0.113.{number}", WRONG) for number in range(4)] == ["wrong"] * 4
    # From now on, one at a time, whoever is next.
    assert [try_password(f"203.0.113.{number}", WRONG) for number in range(10, 13)] == ["wrong", "wait", "wait"]
    assert [try_password("192.0.2.1", password) for password in (WRONG, PASSWORD, PASSWORD)] == ["wrong", "in", "in"]
    assert try_password("198.51.100.7", PASSWORD) == "wait"


def test_the_sign_in_page_takes_few_requests_of_one_address_in_a_minute(alice: User, settings: LazySettings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login": "3/m/ip"}
    assert [try_password("203.0.113.5", PASSWORD) for _ in range(4)] == ["in", "in", "in", "429"]
    page = Client(REMOTE_ADDR="203.0.113.5").post(SIGN_IN, {"login": "alice", "password": PASSWORD}).content.decode()
    assert 'class="brand"' in page and "Wait a minute, then try again" in page


def test_the_counters_outlive_the_process(alice: User) -> None:
    assert [try_password("203.0.113.5", WRONG) for _ in range(5)] == ["wrong"] * 5
    # A new process reads it from the server.
    shared_cache._Client.here.clear()
    assert try_password("203.0.113.5", PASSWORD) == "wait"


def test_while_the_broker_is_away_people_sign_in_and_guesses_are_still_counted(
    alice: User, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches: Any = settings.CACHES
    location = f"redis://127.0.0.1:{free_port()}/0"
    settings.CACHES = {**caches, "default": {**caches["default"], "LOCATION": location}}
    monkeypatch.setattr(shared_cache._Client, "ask_again_at", 0.0)
    before = time.monotonic()
    assert try_password("198.51.100.7", PASSWORD) == "in"
    assert time.monotonic() - before < 20
    tried = [try_password("203.0.113.5", WRONG) for _ in range(6)]
    assert tried == ["wrong"] * 5 + ["wait"]


def test_clearing_the_cache_leaves_the_queues_alone(broker: str) -> None:
    import redis

    server = redis.Redis.from_url(broker)
    server.set("a queue of the broker", "a job")
    cache.set("mine", 1, 60)
    cache.clear()
    assert cache.get("mine") is None and server.getdel("a queue of the broker") == b"a job"
