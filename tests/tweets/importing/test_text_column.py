"""If a table has several text columns, the person is asked which one has the posts."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.rest.helpers import Program, require_error
from tests.tweets.helpers import run
from tweets.corpora import services
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)
SAID, MEANT = make_posts(40, seed=61), make_posts(40, seed=62)
TABLE = "said,meant\n" + "".join(f'"{said}","{meant}"\n' for said, meant in zip(SAID, MEANT, strict=True))


def bring(client: Client, **fields: str) -> Job:
    file = io.BytesIO(TABLE.encode())
    file.name = "posts.csv"
    answer = client.post(reverse("new_corpus"), {"way": "file", "basis": "own", "file": file, **fields})
    assert answer.status_code == 302
    return Job.objects.latest("created_at")


def test_the_person_is_asked_and_the_answer_is_followed(client: Client, alice: User) -> None:
    client.force_login(alice)
    job, _ = run(bring(client))
    assert (job.state, job.error_code) == (State.FAILED, "which_column")
    assert "“said”, “meant”" in job.error_message and "“Text column”" in job.error_message
    assert "Text column" in client.get(reverse("new_corpus")).content.decode()
    job, corpus = run(bring(client, column=" Meant "))
    assert job.state == State.SUCCEEDED
    assert list(corpus.posts.order_by("pk").values_list("text", flat=True)) == MEANT


def ask(client: Client, corpus: Corpus, column: str) -> Any:
    return client.post(reverse("name_column", args=[corpus.pk]), {"column": column}, follow=True)


def form_is_hidden(client: Client, job: Job) -> bool:
    page = client.get(reverse("job", args=[job.pk])).content.decode()
    form = re.search(r'<form[^>]* id="which-column"[^>]*>', page)
    assert form is not None
    return " hidden" in form[0]


def test_the_page_takes_the_answer_and_the_file_is_not_brought_again(client: Client, alice: User) -> None:
    client.force_login(alice)
    job = bring(client)
    assert form_is_hidden(client, job)
    job, corpus = run(job)
    assert job.error_code == "which_column" and not form_is_hidden(client, job)
    for nothing in ("", "  ", "c" * 81, "a\x00b"):
        page = ask(client, corpus, nothing)
        assert page.redirect_chain[-1][0] == f"/jobs/{job.pk}/" and "of the column" in page.content.decode()
    # If the column doesn't exist, the question is asked again.
    ask(client, corpus, "heard")
    job, corpus = run(job)
    assert (job.state, job.error_code) == (State.FAILED, "which_column")
    assert "no column “heard”" in job.error_message and not form_is_hidden(client, job)
    page = ask(client, corpus, " Meant ")
    assert page.redirect_chain == [(f"/jobs/{job.pk}/", 302)]
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.QUEUED, "") and form_is_hidden(client, job)
    job, corpus = run(job)
    assert job.state == State.SUCCEEDED and corpus.is_ready, job.error_message
    assert list(corpus.posts.order_by("pk").values_list("text", flat=True)) == MEANT
    assert Job.objects.count() == Corpus.objects.count() == 1
    assert "No import of these posts is waiting" in ask(client, corpus, "said").content.decode()
    assert Job.objects.count() == 1


def test_the_field_of_objects_is_asked_for_and_answered_too(client: Client, alice: User) -> None:
    client.force_login(alice)
    lines = "".join(json.dumps({"said": said, "n": 1}) + "\n" for said in SAID)
    job, corpus = run(
        services.import_file(owner=alice, file=io.BytesIO(lines.encode()), file_name="a.jsonl", basis="own")
    )
    assert job.error_code == "which_column" and "Line 1 has no text" in job.error_message
    ask(client, corpus, "said")
    job, corpus = run(job)
    assert job.state == State.SUCCEEDED and corpus.posts_found == len(SAID)


def test_a_file_that_is_gone_and_a_limit_are_told(client: Client, alice: User) -> None:
    client.force_login(alice)
    job, corpus = run(bring(client))
    PersonalLimits.objects.create(user=alice, queued_jobs=0)
    ask(client, corpus, "said")
    job.refresh_from_db()
    assert job.state == State.FAILED and "column" not in job.arguments
    PersonalLimits.objects.all().delete()
    services.forget_upload(corpus)
    assert "no longer exists" in ask(client, corpus, "said").content.decode()
    job.refresh_from_db()
    assert job.state == State.FAILED


def test_only_the_owner_answers(client: Client, alice: User, bob: User, admin: User, charlie: Client) -> None:
    client.force_login(alice)
    job, corpus = run(bring(client))
    address = reverse("name_column", args=[corpus.pk])
    for stranger in (bob, admin):
        assert signed_in(stranger).post(address, {"column": "said"}).status_code == 404
    assert charlie.post(address, {"column": "said"})["Location"].startswith("/accounts/login/")
    assert client.get(address).status_code == 405
    path, body = f"/corpora/{corpus.pk}/column", {"column": "said"}
    for program in (Program(bob), Program(admin, "read", "write", "admin")):
        require_error(program.post(path, body), 404, "not_found")
    require_error(Program(None).post(path, body), 401, "not_authenticated")
    require_error(Program(alice, "read").post(path, body), 403, "missing_scope")
    job.refresh_from_db()
    assert job.state == State.FAILED


def test_a_program_answers_as_the_page_does(client: Client, alice: User) -> None:
    client.force_login(alice)
    job, corpus = run(bring(client))
    program, path = Program(alice), f"/corpora/{corpus.pk}/column"
    for body, code, param in (
        ({}, "missing", "column"),
        ({"column": ""}, "bad_value", "column"),
        ({"column": " "}, "nothing_given", "column"),
        ({"column": "a\x00b"}, "bad_value", "column"),
        ({"column": "said", "file": "x"}, "unknown_field", "file"),
    ):
        require_error(program.post(path, body), 422, code, param)
    answer = program.post(path, {"column": "said"}, Idempotency_Key="answer")
    assert answer.status_code == 202
    assert (answer.json()["id"], answer.json()["state"], answer.json()["error"]) == (str(job.pk), "queued", None)
    assert program.post(path, {"column": "said"}, Idempotency_Key="answer").json() == answer.json()
    require_error(program.post(path, {"column": "meant"}), 409, "not_asked", "column")
    job, corpus = run(job)
    assert list(corpus.posts.order_by("pk").values_list("text", flat=True)) == SAID


def test_the_terminal_asks_and_is_answered_too(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(TABLE, encoding="utf-8")
    with pytest.raises(CommandError, match="--column"):
        call_command("import_posts", str(path), stdout=io.StringIO())
    call_command("import_posts", str(path), column="1", stdout=io.StringIO())
    assert Corpus.objects.latest("created_at").posts.filter(text__in=SAID).count() == 40
