"""The scheduler's rounds, and who notices when there are none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from botfactory import scheduler
from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.ops import workers
from botfactory.scheduler import HOURLY, Scheduler
from models_app.bots.rows import TrainedModel
from tests.at_once import at_once
from tests.jobs.test_services import submit
from tests.models_app.conftest import base as base
from tests.ops.conftest import examine as examine
from tests.ops.conftest import new_scheduler as new_scheduler
from tests.ops.helpers import NOWHERE, Examine, told

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.fixture(autouse=True)
def silent(new_scheduler: None) -> Iterator[None]:
    """No scheduler has done a round yet, and none has when the test is over."""
    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        client.delete(scheduler._LAST_ROUND)
        yield
        client.delete(scheduler._LAST_ROUND)


@pytest.fixture
def duties(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the scheduler these duties instead of its own."""
    monkeypatch.setattr(scheduler, "_duties", {})
    return scheduler.register


def lost(owner: User) -> Job:
    """Return a running job whose worker has been silent for a day."""
    job = submit(owner)
    assert worker.claim(job.pk) is not None
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(days=1))
    return job


def test_a_round_recovers_a_lost_job_and_calls_a_worker_to_it(alice: User) -> None:
    job = lost(alice)
    Scheduler().do_round()
    job.refresh_from_db()
    assert job.state == State.INTERRUPTED
    assert job.rung_at is not None and job.rung_at >= job.available_at


def test_two_schedulers_at_once_do_the_work_of_one(alice: User) -> None:
    jobs = [lost(alice) for _ in range(3)]
    at_once(4, lambda: Scheduler().do_round())
    for job in jobs:
        job.refresh_from_db()
        assert (job.state, job.interruptions) == (State.INTERRUPTED, 1)
        assert job.events.filter(payload__state=State.INTERRUPTED).count() == 1
    # However often workers were called, each job runs once more.
    for _ in range(20):
        worker.run_next(jobs[0].queue)
    assert set(Job.objects.values_list("state", "attempt")) == {(State.SUCCEEDED, 2)}


def test_a_silent_scheduler_is_named_by_readyz_until_it_does_a_round(charlie: Client, base: TrainedModel) -> None:
    answer = charlie.get("/readyz")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["scheduler"])
    Scheduler().do_round()
    assert charlie.get("/readyz").status_code == 200


def test_a_round_counts_for_a_while_only(settings: Any, examine: Examine) -> None:
    settings.JOB_REAP_SECONDS = settings.JOB_STALE_SECONDS = 0.1
    Scheduler().do_round()
    (finding,) = examine("scheduler")
    assert finding.level == "ok" and "has done its last round 0 s ago" in finding.what
    time.sleep(0.3)
    (finding,) = examine("scheduler")
    assert finding.level == "problem" and "has done no round in 0.2 s" in finding.what
    assert "manage.py scheduler" in finding.advice and "scheduler.log" in finding.advice


def test_a_job_that_waits_beside_an_idle_worker_waits_for_the_scheduler(
    alice: User, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(alice)
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now() - timedelta(minutes=5))
    idle = workers.Worker(name="trainer@here", queues=[job.queue], jobs=[], slots=1, gpus=[])
    monkeypatch.setattr(workers, "alive", lambda: [idle])
    assert "although a worker is idle → first fix the scheduler" in told(examine("workers"), "warning")
    Scheduler().do_round()
    assert "although a worker is idle → their owner may have reached" in told(examine("workers"), "warning")


def test_without_the_broker_doctor_names_the_broker_and_rounds_go_on(
    alice: User, settings: Any, examine: Examine
) -> None:
    job = lost(alice)
    settings.REDIS_URL = NOWHERE
    Scheduler().do_round()
    job.refresh_from_db()
    assert job.state == State.INTERRUPTED
    assert "first fix the broker" in told(examine("scheduler"), "problem")


def test_a_duty_that_fails_delays_no_other_and_is_tried_again_in_the_next_round(
    duties: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    did: list[str] = []

    def fails_once() -> None:
        did.append("first")
        if did.count("first") == 1:
            raise RuntimeError("no luck")

    duties("first", fails_once, every=HOURLY)
    duties("second", lambda: did.append("second"))
    rounds = Scheduler()
    rounds.do_round()
    assert did == ["first", "second"] and "first: failed in this round: no luck" in caplog.text
    # What keeps failing is as bad as no rounds.
    assert scheduler.last_round() is None
    rounds.do_round()
    rounds.do_round()
    assert did == ["first", "second", "first", "second", "second"]
    assert scheduler.last_round() is not None


def test_each_app_has_given_the_scheduler_its_duties() -> None:
    of_each_round = {"jobs", "mails about jobs", "webhooks", "mails about webhooks"}
    of_each_round |= {"posts of bots", "posts of deleted bots", "proposals of bots", "mails about accounts of bots"}
    of_each_hour = {"sessions", "visitors", "idempotency keys"}
    every = {name: duty.every for name, duty in scheduler._duties.items()}
    assert every == {**dict.fromkeys(of_each_round, 0), **dict.fromkeys(of_each_hour, HOURLY)}
