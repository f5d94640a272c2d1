"""A worker that is stopped in the middle of a job, presumed dead, and returns after another has done the job.

    python -m tests.lost_claims DATABASE JOB TARGET

runs that worker in its own process. It takes the job and stops itself (SIGSTOP) just before it calls TARGET, a function
by its dotted name; `TARGET#3` means its third call. Tests call `overtaken`.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STALE_SECONDS = 1


@contextmanager
def stopped(job: Any, target: str, settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a block while a worker, which has taken the job, is stopped before `target`."""
    from django.conf import settings as django_settings
    from django.db import connection

    from tests.product import wait_for

    settings.JOB_STALE_SECONDS = STALE_SECONDS
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.lost_claims", connection.settings_dict["NAME"], str(job.pk), target],
        cwd=django_settings.BASE_DIR,
        env={
            **os.environ,
            "JOB_HEARTBEAT_SECONDS": "1",
            "JOB_STALE_SECONDS": "3",
            "TRAINING_DIR": str(django_settings.TRAINING_DIR),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(f"the worker to stop before {target}", lambda: _is_stopped(process), 120)
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def overtaken(job: Any, target: str, settings: Any) -> Iterator[None]:
    """Run a block after another worker has done the job of one that was stopped before `target`. Then wake the first.

    After the block, the woken worker has ended and reported that another had taken over.
    """
    from botfactory.jobs import reaper, worker
    from botfactory.jobs.states import State
    from tests.product import wait_for

    with stopped(job, target, settings) as process:
        wait_for("the stopped worker to be missed", lambda: _is_interrupted(job, reaper.reap), 60)
        worker.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempt) == (State.SUCCEEDED, 2), job.error_message
        yield
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert f"job {job.pk}: attempt 1" in errors, errors


def files_under(*folders: Path) -> dict[str, tuple[int, bytes]]:
    """Return all files of these folders by name, including hidden ones, with their times and contents."""
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def rows_of(*models: Any) -> list[list[dict[str, Any]]]:
    """Return all rows of these models."""
    return [list(model.objects.order_by("pk").values()) for model in models]


def _is_stopped(process: subprocess.Popen[str]) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"the worker ended: {process.communicate()[1]}")
    # The state comes after the name, which is in brackets and may contain spaces.
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _is_interrupted(job: Any, reap: Any) -> bool:
    reap()
    job.refresh_from_db()
    return bool(job.state == "interrupted")


def _stop_before(target: str) -> None:
    """Make a call of `target` wait for SIGCONT."""
    target, _, number = target.partition("#")
    calls = itertools.count(1)
    place, _, name = target.rpartition(".")
    try:
        owner: Any = importlib.import_module(place)
    except ModuleNotFoundError:
        module, _, of_class = place.rpartition(".")
        owner = getattr(importlib.import_module(module), of_class)
    wrapped = getattr(owner, name)

    @functools.wraps(wrapped)
    def stops(*arguments: Any, **named: Any) -> Any:
        if next(calls) == int(number or 1):
            os.kill(os.getpid(), signal.SIGSTOP)
        return wrapped(*arguments, **named)

    setattr(owner, name, stops)


def main(database: str, job: str, target: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")
    import django

    django.setup()
    from django.db import connections

    from botfactory.jobs import worker
    from models_app.ml.evaluation import report_card

    for alias in connections:
        connections[alias].settings_dict["NAME"] = database
    # As in the tests' own process (few_posts_on_report_cards).
    vars(report_card).update(POSTS=20, LEARNED_BY_CLASSIFIER=20)
    _stop_before(target)
    worker.run(uuid.UUID(job))


if __name__ == "__main__":
    main(*sys.argv[1:])
