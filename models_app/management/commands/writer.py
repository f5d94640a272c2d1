from __future__ import annotations

import signal
from typing import Any

from django.conf import settings

from botfactory.ops.commands import ProductCommand
from models_app.writing.writer import Writer


class Command(ProductCommand):
    help = "Write posts for web processes that ask. `run` starts one; start others on more machines."

    def handle(self, *args: Any, **options: Any) -> None:
        writer = Writer(threads=settings.GENERATIONS_AT_ONCE, megabytes=settings.WRITER_MEMORY_MB)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: writer.stop())
        writer.run()
