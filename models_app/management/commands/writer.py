from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from botfactory.ops.commands import ProductCommand
from models_app.writing.writer import Writer


class Command(ProductCommand):
    help = "Write posts for the web processes. `run` starts a writer; you can start more on other machines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--threads",
            type=int,
            default=1,
            help="number of threads (default: 1; threads slow each other down, so start more writers instead)",
        )
        parser.add_argument(
            "--memory",
            type=int,
            metavar="MB",
            default=settings.WRITER_MEMORY_MB,
            help="memory for loaded bots (default: WRITER_MEMORY_MB)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        writer = Writer(threads=max(1, options["threads"]), megabytes=options["memory"])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: writer.stop())
        writer.run()
