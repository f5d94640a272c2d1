"""A table whose posts may be in more than one column: the person is asked, and says which."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.fakes.posts import make_posts
from tests.tweets.helpers import run
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
    assert "“said” or “meant”" in job.error_message and "“Text column”" in job.error_message
    assert "Text column" in client.get(reverse("new_corpus")).content.decode()
    job, corpus = run(bring(client, column=" Meant "))
    assert job.state == State.SUCCEEDED
    assert list(corpus.posts.order_by("pk").values_list("text", flat=True)) == MEANT


def test_the_terminal_asks_and_is_answered_too(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(TABLE, encoding="utf-8")
    with pytest.raises(CommandError, match="--column"):
        call_command("import_posts", str(path), stdout=io.StringIO())
    call_command("import_posts", str(path), column="1", stdout=io.StringIO())
    assert Corpus.objects.latest("created_at").posts.filter(text__in=SAID).count() == 40
