"""Whose posts a file or text has: named by the archive or the person, and stored for label and opt-outs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.fakes.archives import pack, private_files, tweet, ytd
from tests.fakes.posts import make_posts
from tests.rest.helpers import Program, require_error
from tests.tweets.helpers import pasted, run
from tweets.corpora import blend, errors, opt_out, services
from tweets.models import Corpus, OptOut
from tweets.sources.x_archive.owner import owner_of_archive

pytestmark = pytest.mark.django_db(transaction=True)

POSTS = make_posts(90)
TEXT = "\n".join(POSTS)
TWEETS = ytd("tweets", 0, [tweet(number, text) for number, text in enumerate(POSTS)])
ARCHIVE = pack({"data/tweets.js": TWEETS})
WITHOUT_NAME = pack({"data/tweets.js": TWEETS}, private=False)


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def brought(owner: User, content: bytes, name: str = "twitter.zip", **values: Any) -> Corpus:
    return run(services.import_file(owner=owner, file=io.BytesIO(content), file_name=name, **values))[1]


def label(corpus: Corpus) -> str:
    return TrainedModel(owner=corpus.owner, corpus=corpus, name="Bot").parody_label


def nothing_is_kept() -> bool:
    uploads = Path(site.UPLOADS_DIR)
    return not Corpus.objects.exists() and not Job.objects.exists() and not any(uploads.glob("*"))


@pytest.fixture(autouse=True)
def uploads_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"
    settings.UPLOADS_DIR.mkdir()


@pytest.mark.parametrize(
    ("basis", "labelled"),
    [("public", "AI parody of @someone, not by @someone."), ("own", "Written by my AI bot, not by me.")],
)
def test_an_archive_names_the_account_that_its_bots_are_of(alice: User, basis: str, labelled: str) -> None:
    corpus = brought(alice, ARCHIVE, basis=basis)
    assert (corpus.source, corpus.network, corpus.handle, corpus.posts_found) == ("x_archive", "x", "someone", 90)
    assert (corpus.name, label(corpus)) == ("@someone", labelled)


def test_what_the_archive_says_goes_before_what_was_typed(alice: User) -> None:
    assert brought(alice, ARCHIVE, basis="public", account="@somebody_else").handle == "someone"


@pytest.mark.parametrize(
    ("typed", "network", "account"),
    [
        ("@Jane", "x", "@Jane"),
        ("jane.bsky.social", "bluesky", "@jane.bsky.social"),
        ("https://example.social/@jane", "mastodon", "@jane@example.social"),
    ],
)
def test_a_file_of_a_public_figure_has_the_account_that_was_typed(
    client: Client, typed: str, network: str, account: str
) -> None:
    file = SimpleUploadedFile("posts.txt", TEXT.encode())
    client.post("/corpora/new", {"way": "file", "file": file, "basis": "public", "account": typed})
    corpus = run(Job.objects.get())[1]
    assert (corpus.source, corpus.network, corpus.account) == ("file", network, account)
    assert label(corpus) == f"AI parody of {account}, not by {account}."
    page = client.get(f"/corpora/{corpus.pk}/").content.decode()
    assert f"From posts.txt, posts by {account}" in page and "Import newer posts" not in page


@pytest.mark.parametrize(
    ("way", "sent"),
    [
        ("text", lambda: {"text": TEXT}),
        ("file", lambda: {"file": SimpleUploadedFile("posts.txt", TEXT.encode())}),
        ("file", lambda: {"file": SimpleUploadedFile("twitter.zip", WITHOUT_NAME)}),
    ],
)
def test_posts_of_a_public_figure_are_not_taken_before_their_account_is_named(
    client: Client, way: str, sent: Callable[[], dict[str, Any]]
) -> None:
    answer = client.post("/corpora/new", {"way": way, "basis": "public", **sent()})
    assert answer.status_code == 400 and "Name the account that wrote these posts" in answer.content.decode()
    assert nothing_is_kept()


def test_ones_own_posts_need_no_account(alice: User) -> None:
    corpus = brought(alice, TEXT.encode(), "posts.txt")
    assert (corpus.network, corpus.handle) == ("", "")
    assert label(corpus) == "Written by my AI bot, not by me."


def test_what_is_no_account_is_refused_with_a_sentence(client: Client) -> None:
    answer = client.post("/corpora/new", {"way": "text", "text": TEXT, "basis": "public", "account": "no name!"})
    assert answer.status_code == 400 and nothing_is_kept()


@pytest.mark.parametrize(
    ("content", "name", "account"),
    [(ARCHIVE, "twitter.zip", ""), (ARCHIVE, "twitter.zip", "@else"), (TEXT.encode(), "posts.txt", "@Someone")],
)
@pytest.mark.parametrize("basis", ["own", "permission", "public"])
def test_a_file_of_an_account_that_opted_out_is_refused(
    alice: User, admin: User, content: bytes, name: str, account: str, basis: str
) -> None:
    OptOut.objects.create(network="x", handle="someone", by=admin)
    with pytest.raises(errors.OptedOut, match="has asked not to be made into a bot"):
        services.import_file(owner=alice, file=io.BytesIO(content), file_name=name, basis=basis, account=account)
    assert nothing_is_kept()


def test_an_opt_out_deletes_what_was_brought_as_a_file_and_blends_of_it(alice: User, admin: User) -> None:
    of_somebody = brought(alice, ARCHIVE)
    other = pasted(alice, make_posts(20, seed=2))
    run(blend.blend(owner=alice, weights={of_somebody.pk: 1, other.pk: 1}))
    assert opt_out.add(network="x", handle="Someone", by=admin).corpora == 2
    assert list(Corpus.objects.all()) == [other]


def test_the_same_name_on_another_network_is_somebody_else(alice: User, admin: User) -> None:
    OptOut.objects.create(network="mastodon", handle="someone", by=admin)
    assert brought(alice, ARCHIVE).handle == "someone"


def test_a_program_names_the_account_of_text_and_files(alice: User) -> None:
    program = Program(alice)
    asked = {"text": TEXT, "basis": "public"}
    require_error(program.post("/corpora", asked), 422, "account_needed", "account")
    require_error(program.post("/corpora", {**asked, "account": "no name!"}), 422, "bad_handle", "account")
    told = program.post("/corpora", {**asked, "account": "@jane"}).json()["corpus"]
    assert told["account"] == "@jane"
    twice = {"source": "bluesky", "handle": "jane.bsky.social", "account": "@jane", "basis": "public"}
    require_error(program.post("/corpora", twice), 422, "bad_value", "account")


def test_the_terminal_names_the_account_of_a_file(admin: User, tmp_path: Path) -> None:
    file = tmp_path / "posts.txt"
    file.write_text(TEXT)
    with pytest.raises(CommandError, match="Name the account that wrote these posts"):
        call_command("import_posts", str(file), "--basis", "public")
    call_command("import_posts", str(file), "--basis", "public", "--account", "@jane", "--json")
    assert Corpus.objects.get().account == "@jane"


def month_by(*authors: str) -> bytes:
    posts = [{"id": number, "user": {"screen_name": author}} for number, author in enumerate(authors)]
    return b"Grailbird.data.tweets = " + json.dumps(posts).encode()


#: Some posts are other people's.
GRAILBIRD = month_by("other", "early", "early")


@pytest.mark.parametrize(
    ("files", "owner"),
    [
        (private_files(), "someone"),
        ({"archive/data/account.js": private_files()["data/account.js"]}, "someone"),
        ({"data/js/user_details.js": b'var user_details =  {"screen_name": "early", "id": "1"}'}, "early"),
        ({"data/js/tweets/2013_01.js": GRAILBIRD}, "early"),
        ({"data/js/tweets/2012_12.js": month_by("third"), "data/js/tweets/2013_01.js": GRAILBIRD}, "early"),
        ({"data/account.js": ytd("account", 0, [{"account": {"accountDisplayName": '", "username": "x'}}])}, None),
        ({"data/account.js": ytd("account", 0, [{"account": {"username": "<b>no name</b>"}}])}, None),
        ({"data/account.js": b"window.YTD.account.part0 = ["}, None),
        ({"data/account.js": b"window.YTD.account.part0 = [3]"}, None),
        ({"data/account.js": b"\xff"}, None),
        ({"__MACOSX/data/account.js": private_files()["data/account.js"]}, None),
        ({"data/tweets.js": TWEETS}, None),
    ],
)
def test_an_archive_gives_its_name_or_none(tmp_path: Path, files: dict[str, bytes], owner: str | None) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(pack(files, private=False))
    assert owner_of_archive(path) == owner


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", ARCHIVE[: len(ARCHIVE) // 2]])
def test_what_is_no_archive_gives_no_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    assert owner_of_archive(path) is None
