from __future__ import annotations

import gc
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.core.cache import caches
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import translation
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from botfactory import connection_pool
from botfactory.accounts.models import User
from botfactory.ops import valkey
from models_app.writing import board
from models_app.writing.writer import Writer
from tests import groups, kept_learners, shortcuts
from tests.product import wait_for

# On a busy machine an example may take long. Tests with a limit of their own find what hangs.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")

# As in the web process, and before anything opens a connection.
connection_pool.begin()

PASSWORD = "correct horse battery"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # After pytest-django, which has an order of its own.
    items.sort(key=lambda item: groups.place_of(item.nodeid))


@pytest.fixture(autouse=True)
def in_english() -> None:
    """Begin each test in English: a request in another language leaves it to what the thread does next."""
    translation.deactivate()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> groups.Groups:
    return groups.Groups(config, log)


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    # What is loaded by now stays, so there's no garbage to find in it.
    gc.collect()
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", shortcuts.empty_the_database)
        # Hashing is slow on purpose, and nearly every test needs a person.
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1_000)
        # Tests save models of their own, and some of them delete the shipped ones.
        patch.setattr(settings, "SHIPPED_DIR", Path(settings.BOTFACTORY_HOME) / "shipped")
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """pytest-django's fixture, which drops the database at the end. Postgres only drops it if nobody is connected."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            # The threads of async tests keep theirs.
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


@pytest.fixture(scope="session", autouse=True)
def broker() -> Iterator[str]:
    """A real Valkey or Redis: the one in REDIS_URL, or else our own one on a socket."""
    server = None
    if settings.REDIS_IS_OURS:
        command = valkey.server_command(valkey.socket_of(settings.REDIS_URL))
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis.from_url(settings.REDIS_URL)
    deadline = time.monotonic() + 10
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    client.close()
    # A server that keeps running after the tests remembers earlier ones.
    caches["default"].clear()
    yield settings.REDIS_URL
    if server is not None:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session", autouse=True)
def writer(broker: str) -> Iterator[Writer]:
    """A writer in threads of this process, so that pages and programs can let bots write."""
    with pytest.MonkeyPatch.context() as patch:
        # On a busy machine, this process may be silent for seconds without being dead.
        patch.setattr(board, "LEASE", 60)
        patch.setattr(board, "PRESENCE", 60)
        writer = Writer(threads=1, megabytes=200)
        thread = threading.Thread(target=writer.run, name="writer", daemon=True)
        thread.start()
        wait_for("the writer", board.Board(board.client()).writers, pause=0.02)
        yield writer
        writer.stop()
        thread.join()


@pytest.fixture
def quick_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_learners.keep(monkeypatch)


def _user(name: str, **rights: bool) -> User:
    return User.objects.create(username=name, password=make_password(PASSWORD), **rights)


@pytest.fixture
def alice(db: None) -> User:
    """The owner."""
    return _user("alice")


@pytest.fixture
def bob(db: None) -> User:
    """Somebody else who is signed in."""
    return _user("bob")


@pytest.fixture
def admin(db: None) -> User:
    return _user("admin", is_staff=True, is_superuser=True)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def confirmed(client: Client) -> Client:
    """Return the same browser after its person has entered their password again."""
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
    return client


@pytest.fixture
def charlie() -> Client:
    """Nobody: a browser without a session."""
    return Client()


@pytest.fixture
def data() -> Path:
    """The real data, if it is available."""
    folder = Path(os.environ.get("BOTFACTORY_DATA") or settings.BASE_DIR.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the real data is not here: {folder} (BOTFACTORY_DATA names another folder)")
    return folder
