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
            default=settings.GENERATIONS_AT_ONCE,
            help="cores to write with (default: GENERATIONS_AT_ONCE)",
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
