"""Django's `migrate`, except that it leaves the database of a newer version alone. Compose begins with it."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from botfactory.ops.schema import refuse_newer


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        refuse_newer(MigrationLoader(connections[options["database"]]))
        super().handle(*args, **options)
