from __future__ import annotations

import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from botfactory.edge.connections import Bounds
from botfactory.edge.server import Listener, server
from botfactory.ops import open_files
from botfactory.ops.commands import add_where

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Serve the pages, and nothing else. `run` starts this, too."

    # The pages answer without the database, too: they say that it's away.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add_where(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        bounds = Bounds.of_files(open_files.raise_limit())
        if shortage := open_files.shortage():
            logger.warning("%s", shortage)
        pages = server("botfactory.asgi:application", bounds)
        try:
            listener = Listener(options["host"], options["port"])
        except (OSError, OverflowError) as error:
            raise CommandError(f"Can't listen on {options['host']}:{options['port']} ({error}).") from error
        with listener:
            pages.run(sockets=[listener])
        if not pages.started:
            sys.exit(1)
