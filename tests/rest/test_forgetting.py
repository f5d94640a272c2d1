"""Kept answers are emptied when what they are about is deleted."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.rest import idempotency
from botfactory.rest.models import AnswerSubject, KeptAnswer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def kept(owner: User, *about: uuid.UUID) -> None:
    body = str([str(number) for number in about])
    answer = KeptAnswer.objects.create(
        owner=owner, key=str(uuid.uuid4()), claim=uuid.uuid4(), status=201, body=body, claimed_at=timezone.now()
    )
    AnswerSubject.objects.bulk_create(AnswerSubject(answer=answer, number=number) for number in about)


def test_answers_are_forgotten_with_what_they_are_about(alice: User, bob: User) -> None:
    one, two, three = (uuid.uuid4() for _ in range(3))
    for owner, about in ((alice, [one, two]), (bob, [two]), (bob, [three])):
        kept(owner, *about)
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
