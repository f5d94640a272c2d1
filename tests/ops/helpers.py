"""Helpers for the tests of health, metrics, doctor and the status page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
from django.conf import settings
from django.core.management import call_command
from prometheus_client.parser import text_string_to_metric_families

from botfactory.ops import checks, workers

#: Returns the findings of one check.
Examine = Callable[[str], list[checks.Finding]]

#: Nothing listens there, so a connection is refused at once.
NOWHERE = "redis://127.0.0.1:1/0"


def failing(error: Exception) -> Callable[..., NoReturn]:
    """Return a function that raises the error, whatever it's called with."""

    def fail(*args: object, **values: object) -> NoReturn:
        raise error

    return fail


@contextmanager
def real_worker(queue: str) -> Iterator[str]:
    """Start a real Celery worker in its own process, and yield its name."""
    name = f"test-{queue}@here"
    command = [sys.executable, "-m", "celery", "-A", "botfactory", "worker", "-Q", queue, "-n", name]
    command += ["-P", "solo", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ.copy(), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 240
        while name not in {worker.name for worker in workers.alive()}:
            assert process.poll() is None, "the worker ended"
            assert time.monotonic() < deadline, "the worker does not answer"
        yield name
    finally:
        process.kill()
        process.wait()


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and the findings of `manage.py doctor --json`."""
    capsys.readouterr()
    status = 0
    try:
        call_command("doctor", "--json", *options)
    except SystemExit as exit:
        status = int(str(exit.code))
    answer = json.loads(capsys.readouterr().out)
    for level in ("problem", "warning"):
        assert answer[f"{level}s"] == sum(finding["level"] == level for finding in answer["findings"])
    return status, answer["findings"]


def found(findings: list[dict[str, Any]], check: str, *levels: str) -> str:
    """What a check found, of these levels or of all, as text."""
    return "\n".join(
        f"{finding['what']} → {finding['advice']}"
        for finding in findings
        if finding["check"] == check and (not levels or finding["level"] in levels)
    )


def values(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a page of metrics, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(page: str, name: str, **labels: str) -> float | None:
    return values(page).get((name, frozenset(labels.items())))


def told(findings: list[checks.Finding], *levels: str) -> str:
    return found([finding.as_json() for finding in findings], findings[0].check if findings else "", *levels)
