from __future__ import annotations

import shutil
from typing import Any

import pytest

from botfactory import scheduler
from botfactory.jobs import reaper
from botfactory.ops import checks
from botfactory.ops.checks import Report
from tests.ops.helpers import Examine

STRONG = "k3y-" * 5 + "wYz0123456789abcdefghijklmnopqrstuv"


@pytest.fixture
def strong_key(settings: Any) -> None:
    """Set a good key, because the doctor objects to that of the tests."""
    settings.SECRET_KEY = STRONG


@pytest.fixture
def rounds() -> None:
    """The scheduler has just done a round."""
    scheduler._note_round()


@pytest.fixture
def new_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler's process has just started, so it hasn't looked after jobs yet."""
    monkeypatch.setattr(scheduler, "_duties", dict(scheduler._duties))
    scheduler.register("jobs", reaper.Watch().look)


@pytest.fixture
def no_uploads_of_other_tests(settings: Any) -> None:
    """Delete the uploads of other tests, because the doctor would find them: only their rows were deleted."""
    shutil.rmtree(settings.UPLOADS_DIR, ignore_errors=True)


@pytest.fixture
def examine() -> Examine:
    """The findings of one check."""

    def one(name: str) -> list[checks.Finding]:
        report = Report(name, [])
        checks._checks[name](report)
        return report.findings

    return one
