"""A new source is one folder and one line in the registry: pages, API, terminal and opt-outs then know it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db.migrations.loader import MigrationLoader
from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from tests.conftest import signed_in
from tests.fakes.logbook import BEGINNING
from tests.fakes.pigeon import PigeonServer
from tests.fakes.posts import make_posts
from tweets.api import schemas
from tweets.importing import terminal
from tweets.models import Corpus, OptOut, network_choices
from tweets.sources.registry import SOURCES

pytestmark = pytest.mark.django_db(transaction=True)

POSTS = make_posts(100)
LOGBOOK = BEGINNING + b"jane.bsky.social\n" + "\n".join(POSTS).encode()


@pytest.fixture
def pigeon(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PigeonServer]:
    monkeypatch.setitem(SOURCES, "pigeon", "tests.fakes.pigeon")
    with PigeonServer(jane=POSTS) as server:
        settings.PIGEON_API_URL = server.url
        yield server


@pytest.fixture
def logbook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "logbook", "tests.fakes.logbook")


def api(user: User) -> Client:
    token = tokens.create_token(owner=user, name="a program", scopes=["read", "write"])
    return Client(headers={"Authorization": f"Bearer {token.text}"})


def imported() -> Corpus:
    """Return the newest corpus, after its import has run."""
    corpus = Corpus.objects.latest("created_at")
    worker.run(Job.objects.get(subject_id=corpus.pk).pk)
    corpus.refresh_from_db()
    assert (corpus.state, corpus.posts_found) == ("ready", len(POSTS))
    return corpus


def help_of_import() -> str:
    parser = CommandParser(prog="import_posts")
    terminal.add_import_arguments(parser)
    return " ".join(parser.format_help().split())


def test_a_new_network_is_in_the_form_and_on_the_first_pages(
    alice: User, charlie: Client, pigeon: PigeonServer
) -> None:
    form = signed_in(alice).get("/corpora/new").content.decode()
    assert 'value="pigeon" id="way-pigeon" data-names-account' in form
    assert "Pigeon handle" in form and 'placeholder="~name"' in form
    assert "The newest 1,234 posts, 100% feathers." in form
    for page in (charlie.get("/"), signed_in(alice).get("/")):
        assert "an account on Bluesky, Mastodon or Pigeon" in page.content.decode()


def test_first_pages_stay_short_with_many_sources(
    charlie: Client, pigeon: PigeonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        monkeypatch.setitem(SOURCES, f"pigeon{number}", "tests.fakes.pigeon")
        monkeypatch.setitem(SOURCES, f"logbook{number}", "tests.fakes.logbook")
    shown = charlie.get("/").content.decode()
    assert (
        "A text, CSV or JSON file, an X archive, 20 other kinds of files, pasted text or an account on Bluesky, "
        "Mastodon or 21 other networks." in shown
    )


def test_an_account_of_a_new_network_is_imported_through_the_page(alice: User, pigeon: PigeonServer) -> None:
    page = signed_in(alice)
    answer = page.post("/corpora/new", {"way": "pigeon", "pigeon": "~Nobody!", "basis": "own"})
    assert answer.status_code == 400 and "A Pigeon handle looks like ~name." in answer.content.decode()
    assert page.post("/corpora/new", {"way": "pigeon", "pigeon": "~jane", "basis": "own"}).status_code == 302
    corpus = imported()
    assert (corpus.source, corpus.network, corpus.handle) == ("pigeon", "pigeon", "jane")
    shown = page.get(corpus.get_absolute_url()).content.decode()
    assert "From the Pigeon account @jane" in shown and "newer posts" in shown
    assert page.post(f"/corpora/{corpus.pk}/newer").status_code == 302


def test_an_account_of_a_new_network_is_imported_through_the_api(alice: User, pigeon: PigeonServer) -> None:
    client = api(alice)
    body = {"source": "pigeon", "handle": "~jane", "basis": "own"}
    answer = client.post("/api/v1/corpora", body, content_type="application/json")
    assert (answer.status_code, answer.json()["corpus"]["source"]) == (202, "pigeon")
    imported()
    assert "pigeon" in json.dumps(schemas.json_schema())
    assert client.get("/api/pigeon:jane").json() == {"error": None, "tweets": POSTS}


def test_an_account_of_a_new_network_can_be_opted_out(alice: User, admin: User, pigeon: PigeonServer) -> None:
    desk = signed_in(admin)
    sent = {"network": "pigeon", "handle": "~jane", "confirmed": "yes"}
    assert ">Pigeon</option>" in desk.get("/admin/tweets/optout/add/").content.decode()
    assert desk.post("/admin/tweets/optout/add/", sent).status_code == 302
    assert OptOut.objects.get().get_network_display() == "Pigeon"
    refused = signed_in(alice).post("/corpora/new", {"way": "pigeon", "pigeon": "~jane", "basis": "own"})
    assert refused.status_code == 400 and "asked not to be made into a bot" in refused.content.decode()


def test_a_new_network_is_imported_at_the_terminal_and_in_its_help(alice: User, pigeon: PigeonServer) -> None:
    assert "pigeon:name" in help_of_import()
    said = io.StringIO()
    call_command("import_posts", "pigeon:jane", owner="alice", json=True, stdout=said)
    assert json.loads(said.getvalue().splitlines()[-1])["posts"] == len(POSTS)


def test_migrations_hold_no_list_of_networks() -> None:
    network = MigrationLoader(None).project_state().models["tweets", "optout"].fields["network"]
    assert network.deconstruct()[3]["choices"] is network_choices


def test_a_new_kind_of_file_is_in_the_form_and_on_first_pages(alice: User, charlie: Client, logbook: None) -> None:
    form = signed_in(alice).get("/corpora/new").content.decode()
    assert "File, X archive or logbook" in form and "A .log file from your ship." in form
    assert ",.log" in form and "How do I get my logbook?" in form and "Ask the captain." in form
    for page in (charlie.get("/"), signed_in(alice).get("/")):
        assert "a logbook" in page.content.decode()


def test_a_new_kind_of_file_is_imported_through_the_page(alice: User, logbook: None) -> None:
    page = signed_in(alice)
    sent = {"way": "file", "file": SimpleUploadedFile("today.log", LOGBOOK), "basis": "public"}
    assert page.post("/corpora/new", sent).status_code == 302
    corpus = imported()
    assert (corpus.source, corpus.network, corpus.handle) == ("logbook", "bluesky", "jane.bsky.social")
    shown = page.get(corpus.get_absolute_url()).content.decode()
    assert "From the logbook today.log, posts by @jane.bsky.social" in shown


def test_a_new_kind_of_file_is_imported_through_the_api(alice: User, logbook: None) -> None:
    sent = {"file": SimpleUploadedFile("today.log", LOGBOOK), "basis": "own"}
    answer = api(alice).post("/api/v1/corpora", sent)
    assert (answer.status_code, answer.json()["corpus"]["source"]) == (202, "logbook")
    imported()
    assert "a logbook (.log)" in json.dumps(schemas.form_schema())


def test_the_owner_that_a_new_kind_of_file_names_can_be_opted_out(alice: User, admin: User, logbook: None) -> None:
    OptOut.objects.create(network="bluesky", handle="jane.bsky.social", by=admin)
    sent = {"way": "file", "file": SimpleUploadedFile("today.log", LOGBOOK), "basis": "own"}
    answer = signed_in(alice).post("/corpora/new", sent)
    assert answer.status_code == 400 and "asked not to be made into a bot" in answer.content.decode()


def test_a_new_kind_of_file_is_imported_at_the_terminal_and_in_its_help(
    alice: User, tmp_path: Path, logbook: None
) -> None:
    assert "a logbook (.log)" in help_of_import()
    file = tmp_path / "today.log"
    file.write_bytes(LOGBOOK)
    said = io.StringIO()
    call_command("import_posts", str(file), owner="alice", json=True, stdout=said)
    assert json.loads(said.getvalue().splitlines()[-1])["posts"] == len(POSTS)
    assert Corpus.objects.get().source == "logbook"
