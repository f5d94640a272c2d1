"""A person's right to use posts is asked, stored and shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from botfactory.accounts.models import User
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "\n".join(make_posts(30))


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


@pytest.mark.parametrize("basis", ["", "stolen"])
def test_posts_are_not_taken_without_an_answer(client: Client, basis: str) -> None:
    answer = client.post("/corpora/new", {"way": "text", "text": TEXT, "basis": basis})
    assert answer.status_code == 400 and "is stored with" in answer.content.decode()
    assert make_posts(1)[0] in answer.content.decode(), "the text is still in its field"
    assert not Corpus.objects.exists()


def test_the_page_asks_and_answers_nothing_by_itself(client: Client) -> None:
    page = client.get("/corpora/new").content.decode()
    assert page.count('name="basis"') == 3 and "required checked" not in page


@pytest.mark.parametrize(
    ("basis", "words"),
    [("own", "your own posts"), ("permission", "their author’s permission"), ("public", "as a parody")],
)
def test_the_answer_is_kept_and_shown(client: Client, admin: User, basis: str, words: str) -> None:
    client.post("/corpora/new", {"way": "text", "text": TEXT, "basis": basis, "account": "@jane"})
    corpus = Corpus.objects.get()
    assert corpus.basis == basis
    assert words in client.get(f"/corpora/{corpus.pk}/").content.decode()
    found = signed_in(admin).get(f"/admin/tweets/corpus/?basis={basis}").content.decode()
    assert corpus.get_basis_display() in found and str(corpus.pk) in found


def test_what_was_brought_before_it_was_asked_says_nothing(client: Client, alice: User) -> None:
    corpus = pasted(alice, make_posts(30))
    Corpus.objects.update(basis="")
    page = client.get(f"/corpora/{corpus.pk}/")
    assert page.status_code == 200 and "your own posts" not in page.content.decode()


def test_the_terminal_takes_posts_as_ones_own_unless_it_is_told_otherwise(admin: User, tmp_path: Path) -> None:
    file = tmp_path / "posts.txt"
    file.write_text(TEXT)
    call_command("import_posts", str(file), "--json")
    call_command("import_posts", str(file), "--basis", "permission", "--json")
    assert list(Corpus.objects.order_by("created_at").values_list("basis", flat=True)) == ["own", "permission"]
    with pytest.raises(CommandError, match="stolen"):
        call_command("import_posts", str(file), "--basis", "stolen")
