from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from botfactory.ops.commands import ProductCommand, at_least
from models_app.writing.writer import Writer


class Command(ProductCommand):
    help = "Write posts for the web processes. `run` starts a writer; you can start more on other machines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--threads",
            type=at_least(1),
            default=1,
            help="number of threads (default: 1; threads slow each other down, so start more writers instead)",
        )
        parser.add_argument(
            "--memory",
            type=at_least(settings.MIN_WRITER_MEMORY_MB),
            metavar="MB",
            default=settings.WRITER_MEMORY_MB,
            help=f"memory for loaded bots, at least {settings.MIN_WRITER_MEMORY_MB} (default: WRITER_MEMORY_MB)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        writer = Writer(threads=options["threads"], megabytes=options["memory"])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: writer.stop())
        writer.run()
