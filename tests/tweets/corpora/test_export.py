"""Exporting a corpus, and what a deletion reports."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.test import AsyncClient

from botfactory.accounts import services as accounts
from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import CleaningRules
from tweets.corpora import export, learning, posts, services
from tweets.models import AuditEntry, Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def corpus(alice: User) -> Corpus:
    return pasted(alice, ["@someone a reply — ¿qué? 😀", "see https://t.co/abcdefghij now", *make_posts(40)])


def lines_of(corpus: Corpus) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(export.pieces_of(corpus)).decode().splitlines()]


def test_every_post_is_in_the_file_with_what_became_of_it(corpus: Corpus) -> None:
    posts.take_out(corpus, posts.find(corpus, words=make_posts(1)[0]))
    lines = lines_of(corpus)
    assert len(lines) == corpus.posts_found == 42
    assert [line["dropped"] for line in lines[:4]] == ["reply", None, "removed", None]
    assert (lines[0]["text"], lines[0]["cleaned"], lines[0]["is_reply"]) == ("@someone a reply — ¿qué? 😀", None, True)
    assert (lines[1]["text"], lines[1]["cleaned"]) == ("see https://t.co/abcdefghij now", "see now")
    assert [line["cleaned"] for line in lines if not line["dropped"]] == learning.training_posts(corpus)


def test_the_file_can_be_brought_again(corpus: Corpus, bob: User) -> None:
    data = b"".join(export.pieces_of(corpus))
    _, again = run(services.import_file(owner=bob, file=io.BytesIO(data), file_name="town.jsonl"))
    assert learning.training_posts(again) == learning.training_posts(corpus)


def test_what_kind_of_post_each_is_comes_again_too(corpus: Corpus, bob: User) -> None:
    flags = ("is_repost", "is_reply", "is_quote", "has_warning")
    numbers = list(corpus.posts.order_by("pk").values_list("pk", flat=True)[10:13])
    for number, flag in zip(numbers, ("is_repost", "is_quote", "has_warning"), strict=True):
        corpus.posts.filter(pk=number).update(**{flag: True})
    data = b"".join(export.pieces_of(corpus))
    _, again = run(services.import_file(owner=bob, file=io.BytesIO(data), file_name="town.jsonl"))
    assert [[line[flag] for flag in flags] for line in lines_of(again)] == [
        [line[flag] for flag in flags] for line in lines_of(corpus)
    ]


def test_long_corpora_come_in_pieces(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lines_of(corpus)
    monkeypatch.setattr(export, "CHUNK", 5)
    assert len(list(export.pieces_of(corpus))) == 9
    assert lines_of(corpus) == whole


async def test_it_is_sent_as_it_is_read(corpus: Corpus, alice: User) -> None:
    client = AsyncClient()
    await client.aforce_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer: Any = await client.get(f"/corpora/{corpus.pk}/export")
    assert answer.is_async and answer["Content-Disposition"] == 'attachment; filename="town.jsonl"'
    sent = b"".join([piece async for piece in answer.streaming_content])
    assert sent.count(b"\n") == 42
    entry = await AuditEntry.objects.aget(action="export")
    assert (entry.who_name, entry.subject_id, entry.details["posts"]) == ("alice", corpus.pk, 42)


def test_a_deletion_tells_what_went(corpus: Corpus, alice: User) -> None:
    run(services.reclean(corpus, CleaningRules()))
    page = signed_in(alice).post(f"/corpora/{corpus.pk}/delete", follow=True).content.decode()
    assert "Deleted Town: 42 posts, 0 files and 2 jobs. Bots that learned from it stay, but are private now." in page
    assert not Job.objects.exists()


def test_the_administration_tells_it_too(corpus: Corpus, admin: User) -> None:
    data = {"action": "delete_selected", "_selected_action": [str(corpus.pk)], "post": "yes"}
    page = signed_in(admin).post("/admin/tweets/corpus/", data, follow=True)
    told = [str(message) for message in page.context["messages"]]
    assert told == ["Deleted Town: 42 posts, 0 files and 1 job.", "Successfully deleted 1 corpus."]


def test_the_log_tells_who_did_what_and_outlives_it(corpus: Corpus, alice: User, admin: User) -> None:
    run(services.reclean(corpus, CleaningRules(keep_replies=True)))
    signed_in(admin).post(f"/admin/tweets/corpus/{corpus.pk}/delete/", {"post": "yes"})
    other = pasted(alice, make_posts(5), name="Other")
    accounts.delete_account(alice)
    third = pasted(User.objects.create_user("bert"), make_posts(5), name="Third")
    accounts.delete_account(third.owner, by=admin)
    told = [(entry.action, entry.about, entry.who_name) for entry in AuditEntry.objects.order_by("pk")]
    assert told == [
        ("import", "Town", "alice"),
        ("reclean", "Town", "alice"),
        ("delete", "Town", "admin"),
        ("import", "Other", "alice"),
        ("delete", "Other", ""),
        ("import", "Third", "bert"),
        ("delete", "Third", "admin"),
    ]
    last = AuditEntry.objects.get(about="Other", action="delete")
    assert (last.subject_id, last.details) == (other.pk, {"owner": "alice", "posts": 5, "files": 0, "jobs": 1})


def test_administrators_read_the_log_and_cannot_change_it(corpus: Corpus, alice: User, admin: User) -> None:
    desk = signed_in(admin)
    entry = AuditEntry.objects.get()
    address = f"/admin/tweets/auditentry/{entry.pk}"
    assert "Town" in desk.get("/admin/tweets/auditentry/?q=alice").content.decode()
    assert "pasted" not in desk.get(f"{address}/change/").content.decode() and entry.details["source"] == "text"
    assert desk.post(f"{address}/change/", {"about": "Nothing"}).status_code == 403
    assert desk.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert desk.get("/admin/tweets/auditentry/add/").status_code == 403
    assert signed_in(alice).get("/admin/tweets/auditentry/").status_code == 403
    assert AuditEntry.objects.get().about == "Town"
