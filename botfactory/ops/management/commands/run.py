from __future__ import annotations

import contextlib
import gc
import os
import socket
from importlib import import_module
from pathlib import Path
from signal import SIGQUIT
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connection, connections

from botfactory.broker import doorbell
from botfactory.jobs import kinds, reaper
from botfactory.ops import open_files, valkey
from botfactory.ops.announcement import Announcement
from botfactory.ops.commands import DEFAULT_PORT, RUN_LOCK, ProductCommand, add_where, at_least, unreachable
from botfactory.ops.supervisor import AlreadyRunning, Process, Supervisor, only_one
from botfactory.sqlite_file import log

MAX_PORT: Final = 65_535
#: The host to listen on -> where this machine reaches it, if that's another one.
_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
#: Hosts to listen on that this machine's browser reaches as `localhost`.
_LOCAL: Final = frozenset({"127.0.0.1", "::1", *_REACHED_AT})
#: What workers and the web process load beside the product's own modules.
SHARED_MODULES = (
    "celery.bin.celery",
    "celery.apps.worker",
    "botfactory.edge.server",
    "botfactory.urls",
    "botfactory.jobs.routing",
)


class Command(ProductCommand):
    help = "Run Bot Factory on this machine: pages, workers and, without REDIS_URL, Valkey. Press Ctrl-C to stop it."

    migrates = True

    def add_arguments(self, parser: CommandParser) -> None:
        add_where(parser)
        parser.add_argument(
            "--importers", type=at_least(1), default=2, help="number of imports at the same time (default: 2)"
        )

    def prepare(self) -> None:
        """Lock this installation first: an older version that runs here needs the database as it is."""
        self.make_home()
        try:
            self.lock = only_one(settings.BOTFACTORY_HOME / RUN_LOCK)
        except AlreadyRunning as other:
            where = str(other) or "it's still starting"
            raise CommandError(f"Bot Factory is already running from {settings.BOTFACTORY_HOME}: {where}") from None
        except OSError as error:
            raise CommandError(f"Can't write to {settings.BOTFACTORY_HOME} ({error.strerror}).") from error
        file = str(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else ""
        if file:
            try:
                log.require_intact(file)
            except log.ForeignLog as error:
                raise unreachable(error) from error
        super().prepare()
        if file:
            log.count_start(file)
        try:
            for name in ("UPLOADS_DIR", "JOBS_DIR", "LOGS_DIR", "CHECKPOINTS_DIR"):
                Path(getattr(settings, name)).mkdir(parents=True, exist_ok=True)
            # Posts of people are in their bots' folders. Earlier versions left this one open to other accounts.
            bots = Path(settings.CHECKPOINTS_DIR) / "users"
            bots.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CommandError(f"Can't create the folder {error.filename} ({error.strerror}).") from error
        with contextlib.suppress(OSError):  # The folder is another account's. The doctor says who can open it.
            bots.chmod(0o700)

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        self._check_assets()
        with self.lock:
            self._check_port(host, port)
            url = address_of_pages(host, port)
            self.lock.write(url)
            self.lock.flush()
            # Jobs that a killed run left behind continue at once.
            reaper.hand_back()
            self._get_ready_to_fork()
            if shortage := open_files.shortage():
                self.stdout.write(str(shortage))
            announcement = self._announcement(url, host, port)
            Supervisor(self._processes(host, port, options["importers"]), self.stdout.write).run(announcement.step)
            reaper.hand_back()
        self.stdout.write("Stopped. Trainings continue from their last epoch when you start again.")

    def _get_ready_to_fork(self) -> None:
        """Load what most of the processes need, and close what they must not share."""
        for module in SHARED_MODULES:
            import_module(module)
        connections.close_all()
        doorbell.close()
        # The memory of what is loaded stays shared as long as no garbage collection writes to it.
        gc.collect()
        gc.freeze()

    def _check_assets(self) -> None:
        missing = [str(folder) for folder in settings.PAGE_LIBRARIES.values() if not folder.is_dir()]
        if missing:
            raise CommandError(f"The page libraries aren't installed ({', '.join(missing)}). Run `make setup` once.")

    def _check_port(self, host: str, port: int) -> None:
        if not 1 <= port <= MAX_PORT:
            raise CommandError(f"{port} isn't a port. Choose one from 1 to {MAX_PORT}, for example {DEFAULT_PORT}.")
        try:
            with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
                pass
        except OSError as error:
            raise CommandError(
                f"Can't listen on {host}:{port} ({error.strerror}). Choose another port, for example with "
                f"`make run PORT={port + 1}`."
            ) from error

    def _processes(self, host: str, port: int, importers: int) -> list[Process]:
        # If several processes are busy, a matrix product on several threads mostly waits (see asgi.py).
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        logs = Path(settings.LOGS_DIR)
        celery = ["celery", "-A", "botfactory", "worker", "--loglevel", "WARNING"]
        celery += ["--without-gossip", "--without-mingle"]
        processes = []
        if settings.REDIS_IS_OURS:
            command = valkey.server_command(valkey.socket_of(settings.REDIS_URL))
            processes.append(Process("valkey", command, logs / "valkey.log", stops_last=True))
        web = ["django", "web", "--host", host, "--port", str(port)]
        # All queues of jobs that have no worker of their own.
        queues = ",".join(queue for queue in kinds.queues() if queue != "train")
        importer = [*celery, "-Q", queues, "-n", "importer@%h", "-c", str(importers)]
        # Threads, because it mostly waits for other servers.
        postman = [*celery, "-Q", "webhooks", "-n", "postman@%h", "-P", "threads", "-c", "4"]
        writer = ["django", "writer"]
        trainer = [*celery, "-Q", "train", "-n", "trainer@%h", "-c", "1", "--max-tasks-per-child", "1"]
        return [
            *processes,
            *(
                Process(f"writer {number}", writer, logs / f"writer-{number}.log", is_module=True)
                for number in range(1, settings.GENERATIONS_AT_ONCE + 1)
            ),
            Process("scheduler", ["django", "scheduler"], logs / "scheduler.log", is_module=True),
            Process("web", web, logs / "web.log", is_module=True),
            Process("importer", importer, logs / "importer.log", is_module=True, stop_signal=SIGQUIT),
            Process("postman", postman, logs / "postman.log", is_module=True, stop_signal=SIGQUIT),
            Process(
                "trainer",
                trainer,
                logs / "trainer.log",
                is_module=True,
                stop_signal=SIGQUIT,
                nice=settings.TRAINER_NICE,
            ),
        ]

    def _announcement(self, url: str, host: str, port: int) -> Announcement:
        """Return what tells the address once the pages answer."""
        ready = f"\n  Bot Factory is running at {url}\n  Logs: {settings.LOGS_DIR}   Stop: Ctrl-C\n"
        if getattr(settings, "X_BEARER_TOKEN", ""):
            ready += (
                "  X_BEARER_TOKEN is set, so people can import X handles. X charges for each post, and its developer\n"
                "  guidelines don't allow storing posts for training. See docs/configuration.md.\n"
            )
        late = f"The pages don't answer yet. See {settings.LOGS_DIR / 'web.log'}."
        return Announcement(_REACHED_AT.get(host, host), port, ready, late, self.stdout.write)


def address_of_pages(host: str, port: int) -> str:
    """Return the address that opens the pages in a browser, for a host and port to listen on."""
    name = "localhost" if host in _LOCAL else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"
