"""Helpers for tests of webhooks: create one, deliver what is due, and let time pass."""

from __future__ import annotations

from datetime import timedelta

from botfactory.accounts.models import User
from botfactory.webhooks import delivery, services
from botfactory.webhooks.event_types import names
from botfactory.webhooks.models import Delivery


def make(owner: User, url: str, *events: str) -> services.NewWebhook:
    return services.create(owner=owner, url=url, events=events or names())


def deliver_all() -> int:
    count = 0
    while delivery.deliver_next():
        count += 1
    return count


def later(**time: float) -> None:
    """Let time pass: make what waits due that much sooner."""
    for row in Delivery.objects.exclude(due_at=None):
        assert row.due_at is not None
        Delivery.objects.filter(pk=row.pk).update(due_at=row.due_at - timedelta(**time))
