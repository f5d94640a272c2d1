"""What goes wrong in a command is a sentence in the terminal, and no traceback."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from botfactory.accounts import signup
from botfactory.accounts.models import Invitation, User
from botfactory.ops import commands
from botfactory.ops.management.commands.run import Command as Run
from botfactory.ops.management.commands.run import address_of_pages
from tests.ops.helpers import failing

pytestmark = pytest.mark.django_db(transaction=True)


class Updating(commands.ProductCommand):
    """A command that updates the database, and does nothing else."""

    migrates = True

    def handle(self, *args: Any, **options: Any) -> None:
        pass


FULL = OSError(errno.ENOSPC, "No space left on device")
LOST = OperationalError("the connection is lost")


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> None:
    settings.BOTFACTORY_HOME = settings.CHECKPOINTS_DIR = tmp_path


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (1e12, r"--days can't be 1e\+12"),
        (1e8, r"--days can't be 1e\+08"),
        (float("inf"), "--days can't be inf"),
        (float("nan"), "--days can't be nan"),
    ],
)
def test_days_that_no_calendar_has_are_told(admin: User, days: float, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("invite", days=days)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["writer", "--memory", "3"], "--memory: 3 is too small. The minimum is 50"),
        (["writer", "--threads", "0"], "--threads: 0 is too small. The minimum is 1"),
        (["writer", "--threads", "two"], "--threads: 'two' isn't a whole number"),
        (["run", "--importers", "0"], "--importers: 0 is too small. The minimum is 1"),
        (["invite", "--address", "foo"], "'foo' isn't the address of a site"),
        (["invite", "--address", "https://bots example.org"], "isn't the address of a site"),
        (["reset_link", "alice", "--address", "https://bots.example.org/?page=2"], "isn't the address of a site"),
    ],
)
def test_options_that_cannot_work_are_told(command: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        call_command(*command)
    assert not Invitation.objects.exists()


def test_an_invitation_has_the_address_that_was_given(admin: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("invite", "--address", "https://bots.example.org/")
    assert capsys.readouterr().out.startswith("https://bots.example.org/accounts/signup/?")


@pytest.mark.parametrize(
    ("url", "advice"),
    [("postgres://db.lan/bots", "Check DATABASE_URL, and that"), ("", r"Check that .* restore it from a backup\.")],
)
def test_a_database_that_cannot_be_opened_is_told_with_what_to_check(
    settings: Any, monkeypatch: pytest.MonkeyPatch, url: str, advice: str
) -> None:
    settings.DATABASE_URL = url
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", failing(LOST))
    with pytest.raises(CommandError, match=rf"Can't reach the database: the connection is lost\. {advice}"):
        call_command("migrate", verbosity=0)
    with pytest.raises(CommandError, match=rf"Can't reach the database: the connection is lost\. {advice}"):
        call_command(Updating())


@pytest.mark.parametrize("port", [-1, 0, 65_536, 99_999])
def test_a_number_that_is_no_port_is_told(port: int) -> None:
    with pytest.raises(CommandError, match=f"{port} isn't a port. Choose one from 1 to 65535, for example 8000"):
        Run()._check_port("127.0.0.1", port)


@pytest.mark.differs
@pytest.mark.parametrize(("error", "sentence"), [(FULL, "disk of this server is full"), (LOST, "database doesn’t")])
def test_outages_in_the_middle_of_a_command_are_told(
    admin: User, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    monkeypatch.setattr(signup, "invite", failing(error))
    with pytest.raises(CommandError, match=sentence):
        call_command("invite")


@pytest.mark.differs
def test_outages_while_the_database_is_updated_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [("a migration", False)])
    monkeypatch.setattr(commands, "call_command", failing(FULL))
    with pytest.raises(CommandError, match="disk of this server is full"):
        call_command(Updating())


def test_a_database_that_is_away_at_the_start_keeps_its_own_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MigrationExecutor", failing(LOST))
    with pytest.raises(CommandError, match=r"Can't reach the database: the connection is lost\. Check"):
        call_command(Updating())


def test_mistakes_of_ours_keep_their_traceback(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signup, "invite", failing(KeyError("ours")))
    with pytest.raises(KeyError, match="ours"):
        call_command("invite")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://localhost:8000/"),
        ("0.0.0.0", "http://localhost:8000/"),
        ("::1", "http://localhost:8000/"),
        ("::", "http://localhost:8000/"),
        ("fd00::5", "http://[fd00::5]:8000/"),
        ("192.0.2.7", "http://192.0.2.7:8000/"),
        ("my-machine.local", "http://my-machine.local:8000/"),
    ],
)
def test_the_address_that_run_prints_opens_the_pages(host: str, address: str) -> None:
    assert address_of_pages(host, 8000) == address
