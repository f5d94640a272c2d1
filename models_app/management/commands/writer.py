from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from botfactory.ops.commands import ProductCommand
from models_app.writing.writer import Writer


class Command(ProductCommand):
    help = "Write posts for web processes that ask. `run` starts one; start others on more machines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--threads",
            type=int,
            default=1,
            help="threads that write (default: 1; more wait for each other, so start more writers instead)",
        )
        parser.add_argument(
            "--memory",
            type=int,
            metavar="MB",
            default=settings.WRITER_MEMORY_MB,
            help="megabytes for bots (default: WRITER_MEMORY_MB)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        writer = Writer(threads=max(1, options["threads"]), megabytes=options["memory"])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: writer.stop())
        writer.run()
