"""The names of processes: a living worker is never taken for a dead one of another machine, container or time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings

from botfactory.accounts.models import User
from botfactory.jobs import processes, reaper, worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.jobs.test_services import submit

#: In a container with the host's name: process numbers of its own.
APART = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
#: Above the highest process number of Linux.
NOBODY = 2**22 + 1


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_gone_once_it_has_ended(other: subprocess.Popen[bytes]) -> None:
    name = processes.name_of(other.pid)
    assert not processes.is_gone(name)
    other.kill()
    other.wait()
    assert processes.is_gone(name)


def test_a_process_is_gone_though_another_has_its_number(other: subprocess.Popen[bytes]) -> None:
    mine, theirs = processes.name_of(os.getpid()), processes.name_of(other.pid)
    assert not processes.is_gone(mine)
    assert processes.is_gone(f"{processes.here()}:{os.getpid()}-{theirs.rpartition('-')[2]}1")


@pytest.mark.django_db(transaction=True)
def test_two_machines_with_one_name_leave_each_others_jobs_alone(alice: User) -> None:
    job = submit(alice)
    assert worker.claim(job.pk) is not None
    host = processes.here().partition(":")[0]
    for elsewhere in (f"{host}:{'0' * 12}:{NOBODY}-1", f"{host}:{NOBODY}"):
        Job.objects.filter(pk=job.pk).update(worker=elsewhere)
        reaper.reap()
        job.refresh_from_db()
        assert job.state == State.RUNNING
    Job.objects.filter(pk=job.pk).update(worker=f"{processes.here()}:{NOBODY}-1")
    reaper.reap()
    job.refresh_from_db()
    assert job.state == State.INTERRUPTED


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*APART, "true"], capture_output=True).returncode != 0,
    reason="this machine lets nobody make a PID namespace",
)
def test_a_container_with_the_name_of_its_host_is_another_place() -> None:
    asked = "from botfactory.jobs import processes as p; print(p.boot(), p.here())"
    boot, place = subprocess.run(
        [*APART, sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=settings.BASE_DIR
    ).stdout.split()
    assert boot == processes.boot() and place != processes.here()
    assert place.partition(":")[0] == processes.here().partition(":")[0]
