"""Shortcuts for work that each test would repeat although no test is about it."""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import TransactionTestCase

#: Filled when the database is created. No test changes them.
KEPT = {model._meta.db_table for model in (ContentType, Permission)}


def empty_the_database(case: TransactionTestCase) -> None:
    """Delete the rows of all tables except KEPT, instead of Django's `flush` (`TransactionTestCase._fixture_teardown`).

    That replaces every table of Postgres by a new file, however few rows there are, and then creates the rows of KEPT
    again, which takes longer than most tests.
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
