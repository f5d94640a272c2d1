"""The shortcuts of the tests don't change their results."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import TransactionTestCase

from botfactory.accounts.models import User
from tests import shortcuts
from tests.conftest import signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def rows() -> dict[str, int]:
    """Of each table that has any, how many."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")
            found[table] = cursor.fetchone()[0]
    return {table: count for table, count in found.items() if count}


def test_nothing_of_a_test_is_left_and_all_is_there_that_migrations_made() -> None:
    before = rows()
    assert set(before) == shortcuts.KEPT
    user = User.objects.create(username="somebody")
    group = Group.objects.create(name="some")
    group.permissions.add(*Permission.objects.all()[:3])
    user.groups.add(group)
    signed_in(user)
    assert len(rows()) >= len(before) + 5
    shortcuts.empty_the_database(TransactionTestCase())
    assert rows() == before
