"""Base classes of all commands: they prepare the database and show errors as sentences."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from botfactory.accounts.models import User
from botfactory.accounts.services import UnknownAccount, terminal_account
from botfactory.ops.supervisor import is_locked

#: In BOTFACTORY_HOME: locked while the product runs there (`supervisor.only_one`).
RUN_LOCK = "run.lock"


class ProductCommand(BaseCommand):
    """A command that can be the first one ever run here, because it creates the local database itself."""

    requires_migrations_checks = False
    #: Whether the command migrates a database that other processes may be using.
    migrates = False
    #: Errors whose message is a sentence for the person in the terminal.
    sentences: tuple[type[Exception], ...] = ()

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Without a broker, pages don't hear of this command's events. They catch up from the database.
        logging.getLogger("botfactory.jobs.events").setLevel(logging.ERROR)
        try:
            self.prepare()
            return super().execute(*args, **options)
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None
        except Exception as error:
            if isinstance(error, (UnknownAccount, *self.sentences)):
                raise CommandError(str(error)) from error
            raise

    def prepare(self) -> None:
        """Create this version's tables in SQLite, or raise CommandError if another database lacks them."""
        self.make_home()
        try:
            executor = MigrationExecutor(connection)
            behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as error:
            raise CommandError(f"Can't reach the database: {str(error).strip()}. Check DATABASE_URL.") from error
        if not behind:
            return
        if not self.migrates and is_locked(settings.BOTFACTORY_HOME / RUN_LOCK):
            raise CommandError(
                "Bot Factory is running with the database of an earlier version. Stop it first. The next `make run` "
                "updates the database."
            )
        if connection.vendor != "sqlite" and not self.migrates:
            raise CommandError("The database is from an earlier version. Run `manage.py migrate` first.")
        call_command("migrate", verbosity=0, interactive=False)

    @staticmethod
    def make_home() -> None:
        """Create BOTFACTORY_HOME for this account alone. Raises CommandError."""
        try:
            settings.BOTFACTORY_HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(
                f"Can't create the folder {settings.BOTFACTORY_HOME} ({error.strerror}). Set BOTFACTORY_HOME to a "
                "folder that you can write to."
            ) from error

    def write_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False))

    def tell(self, text: str) -> None:
        """Write a line for the person to stderr, which keeps stdout for the command's result."""
        self.stderr.write(text, self.style.NOTICE)


@contextmanager
def native_messages_to(path: Path, stderr: Any) -> Iterator[Any]:
    """Redirect what libraries write to stderr from native code into a file, and yield a stream to the person.

    TensorFlow writes a dozen lines about the processor, and has no setting to turn them off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    person = os.dup(2)
    try:
        with path.open("ab") as log:
            os.dup2(log.fileno(), 2)
        with os.fdopen(os.dup(person), "w", encoding="utf-8", errors="replace", buffering=1) as stream:
            is_the_terminal = getattr(stderr, "_out", stderr) is sys.stderr
            yield stream if is_the_terminal else stderr
    finally:
        os.dup2(person, 2)
        os.close(person)


class OwnerCommand(ProductCommand):
    """A command that works for one account."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--owner",
            metavar="USERNAME",
            help="account to work for; the command sees only what this person sees (default: the first administrator)",
        )

    @staticmethod
    def owner(options: dict[str, Any]) -> User:
        return terminal_account(options["owner"])


def address_of(path: str, base: str | None = None) -> str:
    """Return the full address of a page: under `base`, or else under the first name in ALLOWED_HOSTS."""
    if not base:
        host = next((host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")
        local = host in ("localhost", "127.0.0.1", "[::1]")
        base = f"{'https' if settings.HTTPS else 'http'}://{host}" + (":8000" if local and not settings.HTTPS else "")
    return base.rstrip("/") + path


def setting(text: str) -> tuple[str, float | int | str]:
    """Return the name and value of an option `NAME=VALUE`, with numbers as numbers."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not name or not equals or not value:
        raise argparse.ArgumentTypeError(f"write {text!r} as NAME=VALUE, for example learning_rate=0.002")
    try:
        number = float(value)
    except ValueError:
        return name, value
    return name, int(number) if number.is_integer() and "." not in value else number
