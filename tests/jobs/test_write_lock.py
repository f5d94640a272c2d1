"""On SQLite, a worker that hangs while it writes is ended, and nobody else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import processes, reaper, worker, write_lock
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.fakes.posts import make_posts
from tests.jobs.test_services import submit
from tests.lost_claims import stopped
from tests.ops.conftest import examine as examine
from tests.ops.helpers import Examine, told
from tests.tweets.helpers import run
from tweets.corpora import services

pytestmark = [
    pytest.mark.differs,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="Postgres ends the transaction of such a worker by itself"
    ),
]

#: Holds the lock from each line of its input to the next, and says so.
HOLDS = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for _ in sys.stdin:
    if database.in_transaction:
        database.execute("CREATE TABLE of_another (number)")
        database.execute("DROP TABLE of_another")
        database.execute("COMMIT")
    database.execute("BEGIN IMMEDIATE")
    print("holds", flush=True)
"""


class Another:
    """Another process, which writes."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", HOLDS, str(connection.settings_dict["NAME"])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def writes(self) -> None:
        """Commit what it has written, if it has, and take the lock again."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "holds\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(write_lock, "PATIENCE_SECONDS", 0.05)
    settings.JOB_STALE_SECONDS = 0.5


@pytest.fixture
def another() -> Iterator[Another]:
    other = Another()
    yield other
    other.process.kill()
    other.process.wait()


def test_a_worker_that_stops_in_the_middle_of_a_page_is_ended_and_its_import_goes_on(
    alice: User, settings: Any
) -> None:
    living = submit(alice)
    assert worker.claim(living.pk) is not None
    Job.objects.filter(pk=living.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    job = services.import_text(owner=alice, text="\n".join(make_posts(50)))
    with stopped(job, "tweets.corpora.services.add_page", settings) as process:
        settings.JOB_STALE_SECONDS = 0.5
        # Within one round: the other duties would only wait for the lock, and this one with them.
        rounds = reaper.Watch()
        rounds.look()
        assert process.wait(20) == -9
        rounds.look()
    states = [Job.objects.get(pk=one.pk).state for one in (job, living)]
    assert states == [State.INTERRUPTED, State.RUNNING], "nobody could write a heartbeat"
    job, corpus = run(job)
    assert (job.state, corpus.posts.count()) == (State.SUCCEEDED, 50)


def test_a_process_without_a_job_is_named_and_not_ended(
    another: Another, caplog: pytest.LogCaptureFixture, examine: Examine
) -> None:
    another.writes()
    lock = write_lock.Watch()
    assert lock.is_blocked()
    time.sleep(0.6)
    assert lock.is_blocked()
    assert f"process {another.process.pid} has kept all others from writing" in caplog.text
    assert f"process {another.process.pid} keeps all others from writing" in told(examine("database"), "warning")
    assert another.process.poll() is None


def test_a_worker_that_commits_in_between_is_not_ended(alice: User, another: Another) -> None:
    job = submit(alice)
    assert worker.claim(job.pk) is not None
    Job.objects.filter(pk=job.pk).update(worker=processes.name_of(another.process.pid))
    lock = write_lock.Watch()
    assert not lock.is_blocked()
    for _ in range(3):
        another.writes()
        assert lock.is_blocked()
        time.sleep(0.3)
    assert another.process.poll() is None
    time.sleep(0.3)
    assert lock.is_blocked()
    assert another.process.wait(20) == -9, "it has hung since its last commit"
    assert not lock.is_blocked()
