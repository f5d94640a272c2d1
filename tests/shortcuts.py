"""Work that would be done again for each test though no test is about it."""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import TransactionTestCase

#: Filled when the database is made; no test changes them.
KEPT = {model._meta.db_table for model in (ContentType, Permission)}


def empty_the_database(case: TransactionTestCase) -> None:
    """Delete the rows of every table but KEPT, in place of Django's `flush` (`TransactionTestCase._fixture_teardown`).

    That cuts every table of Postgres down to a new file, however few rows were added, and then makes the rows of KEPT
    again: most tests take less time than it.
    """
    quote = connection.ops.quote_name
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    emptied = sorted(set(tables) - KEPT)
    # Foreign keys are checked at the commit, so any order will do.
    with transaction.atomic(), connection.cursor() as cursor:
        rows = ", ".join(f"EXISTS (SELECT 1 FROM {quote(table)})" for table in emptied)
        cursor.execute(f"SELECT {rows}")
        for table, has_rows in zip(emptied, cursor.fetchone(), strict=True):
            if has_rows:
                cursor.execute(f"DELETE FROM {quote(table)}")
