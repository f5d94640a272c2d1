"""Kept answers are emptied when what they are about is deleted."""

from __future__ import annotations

import importlib
import uuid

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.rest import idempotency
from botfactory.rest.models import AnswerSubject, KeptAnswer

pytestmark = pytest.mark.django_db(transaction=True)


def kept(owner: User, *about: uuid.UUID) -> KeptAnswer:
    """Keep an answer of an earlier version: nothing says what it is about, except its text."""
    body = str([str(number) for number in about])
    return KeptAnswer.objects.create(
        owner=owner, key=str(uuid.uuid4()), claim=uuid.uuid4(), status=201, body=body, claimed_at=timezone.now()
    )


def test_answers_of_an_earlier_version_are_forgotten_with_what_they_are_about(alice: User, bob: User) -> None:
    one, two, three = (uuid.uuid4() for _ in range(3))
    for owner, about in ((alice, [one, two, two]), (bob, [two]), (bob, [three])):
        kept(owner, *about)
    importlib.import_module("botfactory.rest.migrations.0002_answer_subjects").note_subjects(apps, None)
    assert AnswerSubject.objects.count() == 4
    idempotency.forget(one, two)
    assert [answer.body for answer in KeptAnswer.objects.exclude(body="")] == [f"['{three}']"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Postgres reads small tables whole, whatever the index")
def test_a_deletion_reads_only_the_answers_about_it() -> None:
    with CaptureQueriesContext(connection) as asked:
        idempotency.forget(uuid.uuid4(), uuid.uuid4())
    [update] = [query["sql"] for query in asked if query["sql"].startswith("UPDATE")]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {update}")
        plan = [row[-1] for row in cursor.fetchall()]
    assert plan and not [step for step in plan if step.startswith("SCAN")], plan
