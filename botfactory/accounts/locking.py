"""One after another: what counts against a bound of a person is counted and created under the person's lock."""

from __future__ import annotations

from django.db import connection

from botfactory.accounts.models import User


def lock(person: int) -> None:
    """Make others who count for this person wait until the transaction ends.

    SQLite needs no lock, because its transactions are IMMEDIATE and so run one after another. On Postgres, the lock
    still allows new rows that point to the person.
    """
    assert connection.in_atomic_block, "lock() must be called inside a transaction"
    list(User.objects.select_for_update(no_key=True).filter(pk=person).values_list("pk"))
