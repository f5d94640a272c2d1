"""Simultaneous requests of programs: limits hold, and what should happen once happens once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from botfactory.accounts.models import ApiToken, PersonalLimits, User
from botfactory.jobs.models import Job
from botfactory.rest.models import KeptAnswer
from tests.accounts.test_limits import AT_ONCE, all_at_once
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

POSTS = {"text": "one\ntwo", "basis": "own"}


def statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def test_fifty_programs_at_once_at_a_limit_of_five_queue_five_jobs(alice: User) -> None:
    PersonalLimits.objects.create(user=alice, queued_jobs=5, requests_a_minute=1000)
    programs = [Program(alice) for _ in range(AT_ONCE)]
    answers = all_at_once(lambda: programs.pop().post("/corpora", POSTS))
    assert statuses(answers) == {202: 5, 409: AT_ONCE - 5}
    for answer in answers:
        if answer.status_code == 409:
            require_error(answer, 409, "limit_reached", "queued_jobs")
    assert Corpus.objects.count() == Job.objects.count() == 5


@pytest.mark.parametrize(
    ("path", "body", "made", "status"),
    [("/corpora", POSTS, Corpus, 202), ("/tokens", {"name": "another"}, ApiToken, 201)],
)
def test_the_same_key_at_once_does_the_work_once(alice: User, path: str, body: Any, made: Any, status: int) -> None:
    programs = [Program(alice) for _ in range(8)]
    before = made.objects.count()
    answers = all_at_once(lambda: programs.pop().post(path, body, Idempotency_Key="at-once"), times=8)
    assert made.objects.count() == before + 1
    done = [answer for answer in answers if answer.status_code == status]
    assert sum("Idempotency-Replayed" not in answer.headers for answer in done) == 1
    assert len({answer.content for answer in done}) == 1
    # It was still in progress, or its answer contained a secret.
    refused = [answer for answer in answers if answer.status_code != status]
    codes = {answer.json()["error"]["code"] for answer in refused}
    assert codes <= {"idempotency_in_progress", "answer_not_kept"}
    for answer in refused:
        require_error(answer, 409, answer.json()["error"]["code"], "Idempotency-Key")
    assert KeptAnswer.objects.get(key="at-once").status == status
