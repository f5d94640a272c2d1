"""Names of corpora and bots stay as typed, or are refused with a sentence."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils.html import escape

from botfactory.accounts.models import User
from botfactory.files.uploaded import name_of
from botfactory.words.plurals import counted
from models_app.bases import services as bases
from models_app.bots import naming
from models_app.bots.rows import TrainedModel
from models_app.sharing import access
from models_app.training import planning
from tests.conftest import signed_in
from tests.models_app.conftest import base, corpus, untrained
from tests.rest.helpers import Program, require_error
from tweets.corpora import errors
from tweets.corpora import services as corpora
from tweets.models import Corpus

__all__ = ["base", "corpus"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

ODD = 'a/b <i>x</i> "q" & Ü %22'


def test_a_corpus_is_called_what_was_typed(alice: User) -> None:
    client = signed_in(alice)
    client.post("/corpora/new", {"way": "text", "text": "my first post", "basis": "own", "name": f"  {ODD}\t "})
    assert Corpus.objects.get().name == ODD
    assert escape(ODD) in client.get("/corpora/").content.decode()


def test_a_bot_is_called_what_was_typed_and_found_by_that(alice: User, corpus: Corpus, base: TrainedModel) -> None:
    job = planning.fine_tune(owner=alice, corpus=corpus, start=base, epochs=1, name=ODD)
    assert job.arguments["name"] == ODD and job.title == f"Train {ODD}"
    model = untrained(corpus, base)
    assert Program(alice).ask("PATCH", f"/models/{model.pk}", {"name": ODD}).json()["name"] == ODD
    assert access.find_model(f"alice/{ODD}") == model


def test_a_long_name_keeps_its_letters_until_another_has_it(alice: User) -> None:
    wanted = "x" * 80
    assert naming.free_name(alice, wanted) == wanted
    TrainedModel.objects.create(owner=alice, name=wanted, directory="a")
    assert naming.free_name(alice, wanted) == "x" * 78 + " 2"
    TrainedModel.objects.create(owner=alice, name="x" * 78 + " 2", directory="b")
    assert naming.free_name(alice, wanted) == "x" * 78 + " 3"


@pytest.mark.parametrize("name", ["x" * 81, "a b " * 30])
def test_a_name_that_is_too_long_is_refused_and_not_cut(alice: User, base: TrainedModel, name: str) -> None:
    with pytest.raises(errors.BadName, match="A name can have at most 80 characters"):
        corpora.import_text(owner=alice, text="a post", name=name)
    with pytest.raises(CommandError, match="1 to 80 characters"):
        call_command("fine_tune", "posts.txt", name=name, stderr=io.StringIO())
    answer = Program(alice).post("/corpora", {"text": "a post", "basis": "own", "name": name})
    require_error(answer, 422, "bad_value", "name")
    assert not Corpus.objects.exists()


def test_a_base_model_is_not_called_like_a_bot_of_a_person(admin: User) -> None:
    with pytest.raises(bases.BaseError, match="contain a slash"):
        bases.free_name("alice/Bot")
    assert bases.free_name("  large   one ") == "large one"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("say %22hi%22.txt", 'say "hi".txt'), ("100%.txt", "100%.txt"), ("two%0D%0Alines.txt", "two\r\nlines.txt")],
)
def test_a_file_has_the_name_that_its_owner_sees(sent: str, expected: str) -> None:
    assert name_of(SimpleUploadedFile(sent, b"")) == expected


def _on_the_page(user: User, file: Any) -> None:
    signed_in(user).post("/corpora/new", {"way": "file", "basis": "own", "file": file})


def _by_the_api(user: User, file: Any) -> None:
    program = Program(user)
    program.client.post("/api/v1/corpora", {"basis": "own", "file": file}, headers=program.headers)


@pytest.mark.parametrize("send", [_on_the_page, _by_the_api])
def test_quotes_in_the_name_of_a_file_are_kept(alice: User, send: Any) -> None:
    send(alice, SimpleUploadedFile("say %22hi%22.txt", b"a post\nanother post"))
    kept = Corpus.objects.get()
    assert (kept.file_name, kept.name) == ('say "hi".txt', 'say "hi"')


def test_one_is_not_told_as_many() -> None:
    assert [counted(number, "post") for number in (0, 1, 2, 1000)] == ["0 posts", "1 post", "2 posts", "1,000 posts"]
    assert counted(2, "reply", "replies") == "2 replies"
