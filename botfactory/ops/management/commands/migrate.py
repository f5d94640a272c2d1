"""Django's `migrate` on our terms: it creates BOTFACTORY_HOME, and leaves the database of a newer version alone."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader

from botfactory.ops.commands import ProductCommand, unreachable
from botfactory.ops.schema import refuse_newer


class Command(migrate.Command):
    """Compose begins with this command, and so does an installation or an upgrade by hand."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Django's checks already open the database, which is in this folder if it's SQLite.
        ProductCommand.make_home()
        try:
            connections[options["database"]].ensure_connection()
        except DatabaseError as error:
            raise unreachable(error) from error
        done: str | None = super().execute(*args, **options)
        return done

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_newer(MigrationLoader(connections[options["database"]]))
        super().handle(*args, **options)
