"""`/api/v1/corpora` by real requests: owner, stranger, nobody, administrator, and a token that only reads."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.conftest import signed_in
from tests.fakes.bluesky_server import BlueskyServer
from tests.fakes.posts import make_posts
from tests.fakes.x_api_server import XApiServer
from tests.rest.helpers import V1, Program, require_error
from tests.tweets.helpers import pasted, run
from tweets.corpora import learning
from tweets.corpora.budget import XMonth
from tweets.models import AuditEntry, Corpus

pytestmark = pytest.mark.django_db(transaction=True)

HANDLE = "@essays.example.com"
POSTS = make_posts(200, seed=71)
TEXT = {"text": "\n".join(POSTS), "basis": "own", "name": "Town"}


def send_file(program: Program, fields: dict[str, Any], text: str = "", name: str = "posts.csv", **headers: str) -> Any:
    """A form with a file, as a program sends it."""
    file = io.BytesIO(text.encode())
    file.name = name
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    body = {**fields, "file": file} if text else fields
    return program.client.post(f"{V1}/corpora", body, headers={**program.headers, **named})


def job_of(answer: Any) -> Job:
    assert answer.status_code == 202, answer.content
    return Job.objects.get(pk=answer.json()["job"]["id"])


def test_pasted_text_becomes_a_corpus_that_tells_of_itself(alice: User) -> None:
    program = Program(alice)
    answer = program.post("/corpora", {**TEXT, "keep_replies": True})
    shown, job = answer.json()["corpus"], job_of(answer)
    assert (shown["state"], shown["source"], shown["name"], shown["basis"]) == ("importing", "text", "Town", "own")
    assert shown["rules"]["keep_replies"] is True and shown["rules"]["keep_reposts"] is False
    told = answer.json()["job"]
    assert (told["kind"], told["state"], told["corpus"]) == ("import", "queued", shown["id"])
    path = f"/corpora/{shown['id']}"
    assert "Wait until" in require_error(program.get(f"{path}/report"), 409, "corpus_busy")
    job, corpus = run(job)
    assert program.get(f"/jobs/{job.pk}").json()["progress"]["percent"] == 100
    Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.FAILED)
    assert "to see why" in require_error(program.get(f"{path}/report"), 409, "import_failed")
    Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.READY)
    shown = program.get(path).json()
    assert (shown["state"], shown["posts_found"]) == ("ready", 200)
    assert (shown["posts_kept"], shown["characters"]) == (corpus.posts_kept, corpus.characters)
    assert (shown["account"], shown["created_at"][-1]) == (None, "Z")
    report = program.get(f"{path}/report").json()
    assert report["verdict"] in {"few", "enough"} and f"{corpus.characters:,} characters" in report["advice"]
    assert (report["posts_found"], report["posts_kept"]) == (200, corpus.posts_kept)
    assert sum(line["posts"] for line in report["lengths"]) == corpus.posts_kept == report["undated"]
    assert set(report["sample"]) <= set(learning.training_posts(corpus)) and report["words"][0]["uses"] > 1


def test_posts_follow_each_other_in_the_order_of_their_source(alice: User) -> None:
    corpus = pasted(alice, [*POSTS, "RT @other not my words"])
    path, program = f"/corpora/{corpus.pk}/posts", Program(alice)
    seen: list[dict[str, Any]] = []
    query = "?limit=90&show=all"
    while True:
        page = program.get(f"{path}{query}").json()
        seen += page["data"]
        if not page["has_more"]:
            break
        query = f"?limit=90&show=all&after={seen[-1]['id']}"
    assert [post["text"] for post in seen] == [*POSTS, "RT @other not my words"]
    assert (seen[0]["cleaned"], seen[0]["dropped"]) == (POSTS[0], None)
    dropped = program.get(f"{path}?show=dropped").json()["data"]
    assert dropped[-1]["text"] == "RT @other not my words"
    assert dropped[-1]["cleaned"] is None and dropped[-1]["dropped"]
    assert program.get(f"{path}?limit=100").json()["data"][0]["text"] == POSTS[0]
    found = program.get(f"{path}?show=all&q=NOT%20MY").json()
    assert [post["text"] for post in found["data"]] == ["RT @other not my words"] and found["has_more"] is False
    for query, param in (("after=nothing", "after"), ("show=some", "show"), ("limit=0", "limit"), ("q=a%00b", "q")):
        require_error(program.get(f"{path}?{query}"), 422, "bad_value", param)
    require_error(program.get(f"{path}?word=x"), 422, "unknown_field", "word")


def test_corpora_are_listed_in_pages_and_each_persons_own(alice: User, bob: User) -> None:
    names = ["one", "two", "three"]
    for name in names:
        pasted(alice, POSTS[:20], name)
    pasted(bob, POSTS[:20], "of somebody else")
    program = Program(alice)
    page = program.get("/corpora?limit=2").json()
    assert [corpus["name"] for corpus in page["data"]] == ["three", "two"] and page["has_more"] is True
    page = program.get(f"/corpora?limit=2&after={page['data'][-1]['id']}").json()
    assert [corpus["name"] for corpus in page["data"]] == ["one"] and page["has_more"] is False
    require_error(program.get("/corpora?state=ready"), 422, "unknown_field", "state")


def test_deleting_tells_what_went(alice: User) -> None:
    corpus, program = pasted(alice, POSTS[:50]), Program(alice)
    answer = program.ask("DELETE", f"/corpora/{corpus.pk}")
    assert answer.status_code == 200 and answer.json() == {"posts": 50, "files": 0, "jobs": 1}
    require_error(program.get(f"/corpora/{corpus.pk}"), 404, "not_found")
    require_error(program.ask("DELETE", f"/corpora/{corpus.pk}"), 404, "not_found")
    assert not Corpus.objects.exists() and not Job.objects.exists()
    entry = AuditEntry.objects.get(action="delete")
    assert entry.who == alice and entry.details["posts"] == 50


def test_a_strangers_corpus_is_not_there(alice: User, bob: User, admin: User) -> None:
    path = f"/corpora/{pasted(alice, POSTS[:20]).pk}"
    nowhere = f"/corpora/{uuid.uuid4()}"
    for stranger in (Program(bob), Program(admin, "read", "write", "admin")):
        for method, rest in (("GET", ""), ("GET", "/report"), ("GET", "/posts"), ("DELETE", "")):
            sentence = require_error(stranger.ask(method, path + rest), 404, "not_found")
            assert sentence == require_error(stranger.ask(method, nowhere + rest), 404, "not_found")
        assert stranger.get("/corpora").json() == {"data": [], "has_more": False}
    assert Corpus.objects.count() == 1
    assert Program(alice).get(path).status_code == 200


def test_nobody_and_a_token_that_only_reads_change_nothing(alice: User) -> None:
    corpus = pasted(alice, POSTS[:20])
    nobody, reader, writer = Program(None), Program(alice, "read"), Program(alice, "write")
    for method, path in (("GET", "/corpora"), ("POST", "/corpora"), ("GET", f"/corpora/{corpus.pk}/posts")):
        require_error(nobody.ask(method, path), 401, "not_authenticated")
    require_error(reader.post("/corpora", TEXT), 403, "missing_scope")
    require_error(send_file(reader, {"basis": "own"}, "a\nb"), 403, "missing_scope")
    require_error(reader.ask("DELETE", f"/corpora/{corpus.pk}"), 403, "missing_scope")
    assert reader.get(f"/corpora/{corpus.pk}/posts").status_code == 200
    require_error(writer.get(f"/corpora/{corpus.pk}"), 403, "missing_scope")
    assert Corpus.objects.count() == 1
    assert writer.post("/corpora", TEXT).status_code == 202


def test_a_session_brings_posts_too(alice: User) -> None:
    answer = signed_in(alice).post(f"{V1}/corpora", TEXT, content_type="application/json")
    assert job_of(answer).owner == alice


def test_a_file_is_brought_as_a_form(alice: User) -> None:
    table = "said,meant\n" + "".join(f'"{post}","{POSTS[-1 - number]}"\n' for number, post in enumerate(POSTS))
    program = Program(alice)
    answer = send_file(program, {"basis": "permission", "column": "meant", "keep_reposts": "true"}, table)
    assert answer.json()["corpus"]["file_name"] == "posts.csv" and answer.json()["corpus"]["name"] == "posts"
    job, corpus = run(job_of(answer))
    assert job.state == State.SUCCEEDED, job.error_message
    assert corpus.basis == "permission" and corpus.keep_reposts and not corpus.keep_replies
    assert list(corpus.posts.order_by("pk").values_list("text", flat=True)) == POSTS[::-1]


@pytest.mark.parametrize(
    ("fields", "text", "code", "param"),
    [
        ({"basis": "own"}, "", "missing", "file"),
        ({}, "a post", "missing", "basis"),
        ({"basis": "mine"}, "a post", "bad_value", "basis"),
        ({"basis": "own", "text": "x"}, "a post", "unknown_field", "text"),
        ({"basis": "own", "keep_replies": "perhaps"}, "a post", "bad_value", "keep_replies"),
        ({"basis": "own", "keep_reposts": "1"}, "a post", "bad_value", "keep_reposts"),
        ({"basis": "own", "column": "c" * 81}, "a post", "bad_value", "column"),
        ({"basis": "own", "other": io.BytesIO(b"a file")}, "a post", "unknown_field", "other"),
        ({"basis": "own"}, "  \n ", "nothing_given", "file"),
        ({"basis": ["public", "own"]}, "a post", "repeated_field", "basis"),
        ({"basis": "own", "keep_replies": ["true", "true"]}, "a post", "repeated_field", "keep_replies"),
    ],
)
def test_what_is_wrong_in_a_form_is_named(alice: User, fields: Any, text: str, code: str, param: str) -> None:
    require_error(send_file(Program(alice), fields, text), 422, code, param)
    assert not Corpus.objects.exists()


def test_of_two_files_none_is_lost(alice: User) -> None:
    fields = {"basis": "own", "file": [io.BytesIO(b"a post"), io.BytesIO(b"another post")]}
    require_error(send_file(Program(alice), fields), 422, "repeated_field", "file")
    assert not Corpus.objects.exists()


def test_a_name_instead_of_a_file_is_told_how_to_send_one(alice: User) -> None:
    for text in ("", "a post"):
        body = {"basis": "own", "file": ["posts.csv", io.BytesIO(b"a post")] if text else "posts.csv"}
        assert "file=@posts.csv" in require_error(send_file(Program(alice), body), 422, "bad_value", "file")
    assert not Corpus.objects.exists()


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"basis": "own"}, "missing", "text"),
        ({"text": "a post"}, "missing", "basis"),
        ({"text": "a post", "basis": "mine"}, "bad_value", "basis"),
        ({"text": " \n ", "basis": "own"}, "nothing_given", "text"),
        ({"text": "a\x00b", "basis": "own"}, "bad_value", "text"),
        ({"text": "\ud800", "basis": "own"}, "bad_value", "text"),
        ({"text": 5, "basis": "own"}, "bad_value", "text"),
        ({"text": "a post", "basis": "own", "colour": "red"}, "unknown_field", "colour"),
        ({"text": "a post", "basis": "own", "column": "x"}, "unknown_field", "column"),
        ({"text": "a post", "basis": "own", "name": "n" * 81}, "bad_value", "name"),
        ({"text": "a post", "basis": "own", "handle": "x"}, "bad_value", "text"),
        ({"text": "a post", "basis": "own", "keep_replies": "perhaps"}, "bad_value", "keep_replies"),
        ({"text": "a post", "basis": "own", "keep_replies": "true"}, "bad_value", "keep_replies"),
        ({"handle": "@a.bsky.social", "basis": "own"}, "missing", "source"),
        ({"source": "bluesky", "basis": "own"}, "missing", "handle"),
        ({"source": "myspace", "handle": "tom", "basis": "own"}, "bad_value", "source"),
        ({"source": "mastodon", "handle": "no server", "basis": "own"}, "bad_handle", "handle"),
        ({"source": "x", "handle": "name", "basis": "own", "confirm_cost": "yes"}, "bad_value", "confirm_cost"),
        ({"source": "demo", "basis": "own"}, "bad_value", "basis"),
        ({"source": "demo", "colour": "red"}, "unknown_field", "colour"),
        ([], "missing", None),
    ],
)
def test_what_is_wrong_in_json_is_named(alice: User, body: Any, code: str, param: str | None) -> None:
    program = Program(alice)
    require_error(program.post("/corpora", body), 422, code, param)
    assert not Corpus.objects.exists()


def test_what_is_neither_json_nor_a_form_is_told(alice: User, settings: Any) -> None:
    program = Program(alice)

    def send(body: str, kind: str) -> Any:
        return program.client.post(f"{V1}/corpora", body, content_type=kind, headers=program.headers)

    require_error(send("{", "application/json"), 400, "bad_request")
    require_error(send("[" * 100_000, "application/json"), 400, "bad_request")
    require_error(send("text=a", "application/x-www-form-urlencoded"), 415, "unsupported_media_type")
    require_error(send("", "application/json"), 422, "missing")
    require_error(send("nonsense", "multipart/form-data"), 400, "bad_request")
    require_error(program.post("/corpora?name=x", TEXT), 422, "unknown_field", "name")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    require_error(program.post("/corpora", TEXT), 413, "too_large")


def test_a_file_over_the_limit_is_413(alice: User, settings: Any) -> None:
    settings.MAX_UPLOAD_MB = 1
    answer = send_file(Program(alice), {"basis": "own"}, "a post\n" * 200_000, "posts.txt")
    assert "1 MB" in require_error(answer, 413, "upload_too_large", "file")
    assert not Corpus.objects.exists()


def test_a_key_brings_posts_once(alice: User) -> None:
    program = Program(alice)
    first = program.post("/corpora", TEXT, Idempotency_Key="text")
    again = program.post("/corpora", TEXT, Idempotency_Key="text")
    assert first.status_code == again.status_code == 202 and first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true" and Corpus.objects.count() == 1
    require_error(
        program.post("/corpora", {**TEXT, "name": "Another"}, Idempotency_Key="text"),
        422,
        "idempotency_key_reused",
        "Idempotency-Key",
    )
    first = send_file(program, {"basis": "own"}, "a post", Idempotency_Key="file")
    again = send_file(program, {"basis": "own"}, "a post", Idempotency_Key="file")
    assert first.json() == again.json() and Corpus.objects.count() == 2
    answer = send_file(program, {"basis": "own"}, "another", Idempotency_Key="file")
    require_error(answer, 422, "idempotency_key_reused", "Idempotency-Key")


def test_an_answer_that_is_kept_for_a_key_goes_with_the_corpus(alice: User) -> None:
    program = Program(alice)
    made = program.post("/corpora", TEXT, Idempotency_Key="one").json()
    assert program.ask("DELETE", f"/corpora/{made['corpus']['id']}").status_code == 200
    require_error(program.post("/corpora", TEXT, Idempotency_Key="one"), 409, "answer_not_kept", "Idempotency-Key")


def test_a_limit_is_told(alice: User) -> None:
    PersonalLimits.objects.create(user=alice, corpora=0)
    require_error(Program(alice).post("/corpora", TEXT), 409, "limit_reached", "corpora")
    assert not Corpus.objects.exists()


def test_a_handle_is_brought_from_its_network(alice: User, settings: Any) -> None:
    with BlueskyServer() as server:
        settings.BLUESKY_API_URL = server.url
        answer = Program(alice).post("/corpora", {"source": "bluesky", "handle": HANDLE, "basis": "permission"})
        shown = answer.json()["corpus"]
        assert (shown["source"], shown["account"], shown["name"]) == ("bluesky", HANDLE, HANDLE)
        job, corpus = run(job_of(answer))
    assert job.state == State.SUCCEEDED, job.error_message
    posts = Program(alice).get(f"/corpora/{corpus.pk}/posts?show=all&limit=1").json()["data"]
    assert posts[0]["created_at"].endswith("Z")


def test_x_is_bought_only_after_a_yes_to_its_cost(alice: User, x_api: XApiServer) -> None:
    program = Program(alice)
    asked = {"source": "x", "handle": "https://x.com/chatty", "basis": "permission", "keep_replies": True}
    sentence = require_error(program.post("/corpora", asked), 422, "cost_not_confirmed", "confirm_cost")
    assert "20 posts" in sentence and "$0.11" in sentence and "@chatty" in sentence
    require_error(program.post("/corpora", {**asked, "confirm_cost": False}), 422, "cost_not_confirmed", "confirm_cost")
    assert not Corpus.objects.exists() and not x_api.pages_sold()
    looked_up = sum("/users/by/username/" in request.path for request in x_api.requests)
    job, corpus = run(job_of(program.post("/corpora", {**asked, "confirm_cost": True})))
    assert job.state == State.SUCCEEDED, job.error_message
    assert (corpus.handle, corpus.posts_found, corpus.keep_replies) == ("chatty", 19, True)
    assert XMonth.objects.get().posts == 19 and corpus.source == "x"
    # The look-up for the estimate isn't paid for again.
    assert sum("/users/by/username/" in request.path for request in x_api.requests) == looked_up == 2


def test_an_address_of_x_under_another_source_is_asked_too(alice: User, x_api: XApiServer) -> None:
    asked = {"source": "bluesky", "handle": "https://x.com/chatty", "basis": "own"}
    require_error(Program(alice).post("/corpora", asked), 422, "cost_not_confirmed", "confirm_cost")
    assert not Corpus.objects.exists()


def test_what_x_does_not_tell_or_is_not_offered_is_told(alice: User, x_api: XApiServer, settings: Any) -> None:
    program = Program(alice)
    asked = {"source": "x", "handle": "protected", "basis": "own"}
    assert "protected" in require_error(program.post("/corpora", asked), 422, "cannot_look_up", "handle")
    settings.X_BEARER_TOKEN = ""
    sentence = require_error(program.post("/corpora", {**asked, "confirm_cost": True}), 409, "not_offered", "handle")
    assert "X_BEARER_TOKEN" in sentence
