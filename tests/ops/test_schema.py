"""A database of a newer version is told apart, because this version could damage what it doesn't know."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from botfactory.ops.management.commands import run
from botfactory.ops.schema import newer_migrations
from tests.ops.helpers import Examine, told
from tests.product import ROOT

pytestmark = pytest.mark.differs

TOLD = r"from a newer version of Bot Factory \(jobs 9999_future\)"


@pytest.fixture
def newer(transactional_db: None) -> Iterator[None]:
    """Leave the database as a newer version would."""
    recorder = MigrationRecorder(connection)
    recorder.record_applied("jobs", "9999_future")
    yield
    recorder.record_unapplied("jobs", "9999_future")


@pytest.fixture
def command(settings: Any, tmp_path: Path) -> Iterator[run.Command]:
    settings.BOTFACTORY_HOME = settings.CHECKPOINTS_DIR = tmp_path
    command = run.Command()
    yield command
    command.lock.close()


def test_commands_refuse_it(newer: None, command: run.Command) -> None:
    with pytest.raises(CommandError, match=TOLD + r"\. Update the code, or restore a backup of this version\."):
        command.prepare()
    with pytest.raises(CommandError, match=TOLD):
        call_command("two_factor_off", "alice")
    with pytest.raises(CommandError, match=TOLD):
        call_command("migrate", verbosity=0)


def test_the_doctor_says_so(newer: None, examine: Examine) -> None:
    problem = told(examine("database"), "problem")
    assert "from a newer version of Bot Factory (jobs 9999_future) → update the code, or restore a backup" in problem
    assert "migrations are applied" not in told(examine("database"), "ok")


@pytest.mark.django_db(transaction=True)
def test_a_database_of_this_version_is_fine(command: run.Command, examine: Examine) -> None:
    command.prepare()
    assert "all migrations are applied" in told(examine("database"), "ok")


def test_what_a_migration_replaces_and_what_libraries_have_is_not_newer() -> None:
    squashed = SimpleNamespace(replaces=[("jobs", "0001_initial"), ("jobs", "0002_words")])
    applied = [("jobs", "0001_initial"), ("jobs", "0002_words"), ("auth", "9999_future"), ("removed", "0001_initial")]
    loader: Any = SimpleNamespace(
        disk_migrations={("jobs", "0001_squashed"): squashed}, applied_migrations=dict.fromkeys(applied)
    )
    assert newer_migrations(loader) == []
    loader.applied_migrations["jobs", "0003_future"] = loader.applied_migrations["tweets", "0001_initial"] = None
    assert newer_migrations(loader) == ["jobs 0003_future", "tweets 0001_initial"]


def test_migrate_can_be_the_first_command_of_all(tmp_path: Path) -> None:
    home = tmp_path / "new" / "var"
    environment = os.environ | {"BOTFACTORY_HOME": str(home), "DATABASE_URL": ""}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert home.stat().st_mode & 0o777 == 0o700 and list(home.glob("*.sqlite3"))
    # In place of a folder
    environment["BOTFACTORY_HOME"] = str(next(home.glob("*.sqlite3")) / "var")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "Set BOTFACTORY_HOME to a folder that you can write to." in done.stderr
    assert "Traceback" not in done.stderr
