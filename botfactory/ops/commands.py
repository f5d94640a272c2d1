"""Base classes of all commands: they prepare the database and show errors as sentences."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from botfactory.accounts.models import User
from botfactory.accounts.services import UnknownAccount, terminal_account
from botfactory.env import server_address
from botfactory.ops.components import database_advice
from botfactory.ops.schema import refuse_newer
from botfactory.ops.setting_checks import LOCAL
from botfactory.ops.supervisor import is_locked
from botfactory.outages import errors
from botfactory.sqlite_file.log import ForeignLog

#: In BOTFACTORY_HOME: locked while the product runs there (`supervisor.only_one`).
RUN_LOCK = "run.lock"
DEFAULT_PORT: Final = 8000


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
        except CommandError:
            raise
        except Exception as error:
            if isinstance(error, (UnknownAccount, *self.sentences)):
                raise CommandError(in_full(error)) from error
            if cause := errors.classify(error):
                raise CommandError(errors.REFUSALS[cause].message) from error
            raise

    def prepare(self) -> None:
        """Create this version's tables in SQLite, or raise CommandError if another database lacks them.

        Raises CommandError, too, if the database is from a newer version.
        """
        self.make_home()
        try:
            executor = MigrationExecutor(connection)
            behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as error:
            raise unreachable(error) from error
        refuse_newer(executor.loader)
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


def in_full(error: Exception) -> str:
    """Return the error's message with the paths of files, which people don't see on pages."""
    return str(getattr(error, "in_full", error))


def unreachable(error: DatabaseError) -> CommandError:
    """Return what tells the person why the database can't be opened, and what to check."""
    if isinstance(error, ForeignLog):
        return CommandError(str(error))
    reason = " ".join(str(error).split()).rstrip(".?")
    advice = database_advice()
    return CommandError(f"Can't reach the database: {reason}. {advice[0].upper()}{advice[1:]}.")


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
    """Return the full address of a page, which begins with `base` or, without one, with the site's likely address."""
    return (base or _likely_address()).rstrip("/") + path


def _likely_address() -> str:
    """Return the address under which other machines probably reach the pages, as ALLOWED_HOSTS and HTTPS say.

    The first host name that isn't local counts, then the domain of an entry such as `.example.org`, then a local name.
    """
    hosts = [host for host in (*settings.ALLOWED_HOSTS, "localhost") if host != "*"]
    host = min(hosts, key=lambda host: (host in LOCAL, host.startswith("."))).lstrip(".")
    # A proxy with HTTPS has the standard port.
    return f"https://{host}" if settings.HTTPS else f"http://{host}:{_running_port()}"


def _running_port() -> int:
    """Return the port of the product that runs in BOTFACTORY_HOME, or the default port if none does."""
    lock = settings.BOTFACTORY_HOME / RUN_LOCK
    address = lock.read_text(encoding="utf-8") if is_locked(lock) else ""
    port = re.search(r":(\d+)/?$", address)
    return int(port[1]) if port else DEFAULT_PORT


def add_where(parser: CommandParser) -> None:
    """Add the options `--host` and `--port` of a command that serves the pages."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"port to listen on (default: {DEFAULT_PORT})")


def add_address(parser: CommandParser) -> None:
    """Add the option `--address` of a command that prints a link."""
    parser.add_argument(
        "--address",
        type=site_address,
        metavar="URL",
        help="address of this site (default: from ALLOWED_HOSTS and HTTPS)",
    )


def site_address(text: str) -> str:
    """Return the address of a site, such as https://bots.example.org, without a slash at its end."""
    try:
        address = server_address("--address", text)
    except ImproperlyConfigured:
        address = ""
    parts = urlsplit(address)
    if not address or parts.query or parts.fragment or any(letter.isspace() for letter in text):
        raise argparse.ArgumentTypeError(
            f"{text!r} isn't the address of a site. Write it with http:// or https://, such as https://bots.example.org"
        )
    return address


def at_least(minimum: int) -> Callable[[str], int]:
    """Return what reads the whole number of an option, which isn't smaller than `minimum`."""

    def number(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} isn't a whole number") from None
        if found < minimum:
            raise argparse.ArgumentTypeError(f"{found} is too small. The minimum is {minimum}")
        return found

    return number


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
