"""Handles that opted out: imports are refused, and everything made from them is deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from models_app.bots import files, versions
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import model as model
from tests.tweets.helpers import pasted
from tweets.corpora import errors, opt_out, services
from tweets.models import AuditEntry, Corpus, OptOut

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

ADDRESS = "/admin/tweets/optout/add/"
SENT = {"network": "bluesky", "handle": "@Jane.bsky.social", "note": "asked by mail"}


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


@pytest.fixture
def brought(corpus: Corpus) -> Corpus:
    """Posts of a Bluesky account that a model learned from."""
    Corpus.objects.filter(pk=corpus.pk).update(source="bluesky", handle="jane.bsky.social")
    corpus.refresh_from_db()
    return corpus


@pytest.mark.parametrize(
    ("network", "listed", "typed"),
    [
        ("bluesky", "jane.bsky.social", "@Jane.bsky.social"),
        ("bluesky", "jane.bsky.social", "https://bsky.app/profile/jane.bsky.social"),
        ("mastodon", "jane@example.social", "@Jane@Example.social"),
        ("x", "Jane", "@jAnE"),
    ],
)
def test_a_handle_on_the_list_is_refused_with_a_sentence(
    alice: User, admin: User, settings: Any, network: str, listed: str, typed: str
) -> None:
    settings.X_BEARER_TOKEN = "a token"
    opt_out.add(network=network, handle=listed, by=admin)
    page = signed_in(alice).post("/corpora/new", {"way": network, network: typed, "basis": "public"})
    assert page.status_code == 400 and "has asked not to be made into a bot" in page.content.decode()
    assert not Corpus.objects.exists() and not Job.objects.exists()


def test_the_same_name_elsewhere_is_somebody_else(alice: User, admin: User, settings: Any) -> None:
    settings.X_BEARER_TOKEN = "a token"
    opt_out.add(network="mastodon", handle="jane@example.social", by=admin)
    assert services.import_handle(owner=alice, handle="@jane", network="x").pk


def test_newer_posts_are_refused_too(brought: Corpus, admin: User) -> None:
    OptOut.objects.create(network="bluesky", handle="jane.bsky.social", by=admin)
    with pytest.raises(errors.OptedOut):
        services.bring_newer(brought)


def test_the_desk_says_in_german_what_it_has_deleted(desk: Client, admin: User) -> None:
    entry = OptOut.objects.create(network="bluesky", handle="jane.bsky.social", by=admin)
    desk.cookies["django_language"] = "de"
    sent = {"action": "delete_what_there_is", "_selected_action": [str(entry.pk)]}
    page = desk.post("/admin/tweets/optout/", sent, follow=True)
    assert [str(message) for message in page.context["messages"]] == [
        "Gelöscht für @jane.bsky.social: Sammlungen: 0, Posts: 0, Bots: 0, Generierungen: 0."
    ]


def test_the_desk_asks_before_anything_is_deleted(desk: Client, brought: Corpus, model: TrainedModel) -> None:
    page = desk.post(ADDRESS, SENT)
    text = page.content.decode()
    assert page.status_code == 200 and "Corpora: 1" in text and "Bots: 1" in text
    assert not OptOut.objects.exists() and Corpus.objects.exists()


def test_confirmed_it_deletes_posts_models_and_what_they_wrote_and_nothing_else(
    desk: Client, brought: Corpus, model: TrainedModel, base: TrainedModel, alice: User, bob: User
) -> None:
    own = pasted(bob, make_posts(10))
    child = TrainedModel.objects.create(owner=bob, name="Child", parent=model, directory="users/child", sha256="0" * 64)
    files.path_of(child).mkdir(parents=True)
    Generation.objects.create(model=child, owner=bob, posts=["a post"], seconds=1)
    paths = [files.path_of(model), files.path_of(child)]
    page = desk.post(ADDRESS, {**SENT, "confirmed": "yes"}, follow=True)
    assert [str(message) for message in page.context["messages"]] == [
        "jane.bsky.social is on the list. Deleted: corpora: 1, posts: 300, bots: 2, generations: 1."
    ]
    assert list(Corpus.objects.all()) == [own]
    assert list(TrainedModel.objects.all()) == [base] and not Generation.objects.exists()
    assert not any(path.exists() for path in paths)
    assert not Job.objects.filter(subject_id=brought.pk).exists()
    entry = AuditEntry.objects.get(action="opt_out")
    assert (entry.about, entry.who_name) == ("@jane.bsky.social (Bluesky)", "admin")
    assert (entry.details["corpora"], entry.details["made"]) == (1, {"bots": 2, "outputs": 1})


def test_a_model_that_was_made_the_base_goes_too(
    brought: Corpus, model: TrainedModel, base: TrainedModel, admin: User
) -> None:
    versions.make_base(model, how=BaseChange.How.PROMOTED)
    opt_out.add(network="bluesky", handle="jane.bsky.social", by=admin)
    assert not TrainedModel.objects.filter(pk=model.pk).exists()
    assert versions.base_model() == base


def test_what_was_interrupted_is_done_again(desk: Client, brought: Corpus, admin: User) -> None:
    entry = OptOut.objects.create(network="bluesky", handle="jane.bsky.social", by=admin)
    data = {"action": "delete_what_there_is", "_selected_action": [str(entry.pk)]}
    assert "corpora: 1" in desk.post("/admin/tweets/optout/", data, follow=True).content.decode()
    assert not Corpus.objects.exists() and OptOut.objects.exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"handle": "two words"}, "handle"), ({"network": "myspace"}, "myspace"), ({"handle": ""}, "required")],
)
def test_what_is_no_account_is_told(desk: Client, changed: dict[str, str], words: str) -> None:
    page = desk.post(ADDRESS, {**SENT, **changed, "confirmed": "yes"})
    assert page.status_code == 200 and words in page.content.decode()
    assert not OptOut.objects.exists()


def test_a_handle_is_listed_once_and_taken_off_again(desk: Client, alice: User) -> None:
    desk.post(ADDRESS, {**SENT, "confirmed": "yes"})
    assert "already on the list" in desk.post(ADDRESS, {**SENT, "confirmed": "yes"}).content.decode()
    desk.post(f"/admin/tweets/optout/{OptOut.objects.get().pk}/delete/", {"post": "yes"})
    assert not OptOut.objects.exists()
    assert AuditEntry.objects.filter(action="opt_out", details__taken_off=True).count() == 1
    assert services.import_handle(owner=alice, handle="@jane.bsky.social", network="bluesky").pk


def test_only_administrators_see_the_list(alice: User, charlie: Client) -> None:
    for client, status in ((signed_in(alice), 403), (charlie, 302)):
        for address in (ADDRESS, "/admin/tweets/optout/"):
            assert client.get(address).status_code == status
            assert client.post(address, {**SENT, "confirmed": "yes"}).status_code == status
    assert not OptOut.objects.exists()
