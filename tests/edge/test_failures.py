"""Requests that fail because a part of the machine does: 503, and when to try again."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.db import connection
from django.test import Client

from botfactory.accounts.models import User
from tests.conftest import signed_in
from tests.outages import database_gone
from tests.rest.helpers import Program, require_error
from tests.tweets.helpers import pasted
from tweets.corpora import audit
from tweets.importing import timeline
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

POSTS = ["a post about towns", "another one about rivers"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make SQLite give up soon when locked."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
        connection.close()


def test_without_a_database_a_page_says_so_and_when_to_try_again(alice: User, impatient: None) -> None:
    client, address = quiet(signed_in(alice)), f"/corpora/{pasted(alice, POSTS).pk}/delete"
    with database_gone():
        answer = client.post(address)
    connection.close()
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "10", "no-store")
    page = answer.content.decode()
    assert "The database doesn’t answer right now." in page and 'href="/">Go to the dashboard' in page
    assert Corpus.objects.count() == 1
    assert client.post(address).status_code == 302 and not Corpus.objects.exists()


def test_without_a_database_a_program_is_told_too(alice: User, impatient: None) -> None:
    program, address = Program(alice), f"/corpora/{pasted(alice, POSTS).pk}"
    with database_gone():
        answer = program.ask("DELETE", address)
    connection.close()
    assert answer["Retry-After"] == "10"
    assert "The database doesn’t answer" in require_error(answer, 503, "database_unavailable")
    assert program.ask("DELETE", address).status_code == 200 and not Corpus.objects.exists()


def test_a_full_disk_is_no_mistake_of_ours(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = pasted(alice, POSTS)
    monkeypatch.setattr(audit, "record_corpus", full_disk)
    answer = quiet(signed_in(alice)).get(f"/corpora/{corpus.pk}/export")
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    page = answer.content.decode()
    assert "disk of this server is full" in page and f'href="/corpora/{corpus.pk}/export">Try again' in page
    answer = Program(alice).ask("DELETE", f"/corpora/{corpus.pk}")
    assert "free some space" in require_error(answer, 503, "disk_full")


def test_what_fails_outside_of_the_documented_api_is_told_in_its_shape_and_logged(
    alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(timeline, "newest_posts", full_disk)
    program = Program(alice)
    answer = quiet(program.client).get("/api/somebody@example.com", headers=program.headers)
    assert (answer.status_code, answer["Retry-After"], answer.json()["error"]["code"]) == (503, "60", "disk_full")
    logged = [record for record in caplog.records if record.exc_info]
    assert [type(record.exc_info[1]) for record in logged if record.exc_info] == [OSError]


def test_a_mistake_of_ours_still_is_one(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **values: Any) -> NoReturn:
        raise OSError(errno.ENOENT, "no such file")

    corpus = pasted(alice, POSTS)
    monkeypatch.setattr(audit, "record_corpus", fail)
    answer = quiet(signed_in(alice)).get(f"/corpora/{corpus.pk}/export")
    assert answer.status_code == 500 and "Something broke on our side" in answer.content.decode()
    require_error(Program(alice).ask("DELETE", f"/corpora/{corpus.pk}"), 500, "server_error")


def quiet(client: Client) -> Client:
    """Return the client, which then returns what the server answers to an error instead of raising it."""
    client.raise_request_exception = False
    return client


def full_disk(*args: Any, **values: Any) -> NoReturn:
    Path("/dev/full").write_bytes(b"a page of posts")
    raise AssertionError("it wasn't full")
