"""Undelivered messages are sent again: when, for how long, and who delays whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.webhooks import delivery, services
from botfactory.webhooks.models import Delivery, Webhook
from tests.jobs.test_api import submit
from tests.ops.helpers import NOWHERE
from tests.webhooks.helpers import deliver_all, later, make
from tests.webhooks.receiver import Receiver, is_signed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_what_does_not_arrive_is_sent_again_after_growing_pauses_until_it_is_given_up(
    alice: User, settings: Any
) -> None:
    settings.WEBHOOK_PAUSES = [5, 300]
    with Receiver(500, 503, 500, headers={"X-Long": "x" * 1000}) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        new = make(alice, server.url)
        jobs.cancel(submit(alice))
        row = Delivery.objects.get()
        for tries, pause in ((1, 5), (2, 300)):
            assert deliver_all() == 1
            row.refresh_from_db()
            assert (row.state, row.attempts) == ("pending", tries) and row.due_at is not None
            assert abs((row.due_at - timezone.now()).total_seconds() - pause) < 4
            assert str(row.status) in row.error
            assert deliver_all() == 0, "not before its time"
            later(seconds=pause)
        assert deliver_all() == 1
        row.refresh_from_db()
        assert (row.state, row.attempts, row.due_at) == ("failed", 3, None)
        later(days=100)
        assert deliver_all() == 0
    bodies = {request.body for request in server.requests}
    ids = {request.headers["webhook-id"] for request in server.requests}
    assert len(server.requests) == 3 and len(bodies) == len(ids) == 1
    assert all(is_signed(request, new.secret) for request in server.requests)


@pytest.mark.parametrize(
    ("asked", "pause"),
    [("900", 900), ("20", 60), ("1000000", 86_400), ("Wed, 21 Oct 2015 07:28:00 GMT", 60), ("soon", 60)],
)
def test_a_receiver_that_asks_for_a_longer_pause_gets_it_up_to_a_day(
    alice: User, settings: Any, asked: str, pause: int
) -> None:
    settings.WEBHOOK_PAUSES = [60]
    with Receiver(429, headers={"Retry-After": asked}) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        make(alice, server.url)
        jobs.cancel(submit(alice))
        assert deliver_all() == 1
    row = Delivery.objects.get()
    assert row.state == "pending" and row.due_at is not None
    assert abs((row.due_at - timezone.now()).total_seconds() - pause) < 4


def test_a_message_that_the_broker_lost_is_sent_all_the_same(
    alice: User, receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botfactory.celery import app

    make(alice, receiver.url)
    with monkeypatch.context() as patch:
        patch.setattr(app.conf, "broker_write_url", NOWHERE)
        patch.setattr(app.conf, "broker_url", NOWHERE)
        jobs.cancel(submit(alice))
    rung: list[bool] = []
    monkeypatch.setattr(services, "ring", lambda: rung.append(True))
    delivery.look()
    assert rung == [True] and deliver_all() == 1
    rung.clear()
    delivery.look()
    assert rung == []


def test_a_worker_that_died_while_it_sent_loses_no_message_and_writes_nothing_later(
    alice: User, receiver: Receiver
) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    held = delivery.claim_next()
    assert held is not None and delivery.claim_next() is None
    later(seconds=delivery.LEASE.total_seconds())
    again = delivery.claim_next()
    assert again is not None and (again.pk, again.attempts) == (held.pk, 2)
    Webhook.objects.update(url="http://127.0.0.1:9/")
    held.webhook.refresh_from_db()
    delivery.attempt(held)
    assert Delivery.objects.values_list("state", "attempts").get() == ("sending", 2), "it was overtaken"


def test_a_receiver_that_fails_holds_up_nobody_else(alice: User, bob: User, settings: Any) -> None:
    with Receiver(500) as failing, Receiver() as fine:
        settings.WEBHOOK_PRIVATE_SERVERS = [failing.url, fine.url]
        make(alice, failing.url)
        for _ in range(3):
            jobs.cancel(submit(alice))
        assert delivery.deliver_next()
        make(bob, fine.url)
        jobs.cancel(submit(bob))
        # Alice's has waited longer and failed before.
        first = delivery.claim_next()
        assert first is not None and first.webhook.owner == bob
        second, third = delivery.claim_next(), delivery.claim_next()
        assert second is not None and second.webhook.owner == alice and third is None


def test_what_has_failed_for_days_is_switched_off_and_its_owner_switches_it_on_again(
    alice: User, settings: Any
) -> None:
    settings.WEBHOOK_PAUSES, settings.WEBHOOK_OFF_DAYS = [], 2
    with Receiver(500, 500, 204, 500) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url).webhook

        def happen(days_of_failure: float = 0) -> Webhook:
            if days_of_failure:
                Webhook.objects.update(failing_since=timezone.now() - timedelta(days=days_of_failure))
            jobs.cancel(submit(alice))
            deliver_all()
            webhook.refresh_from_db()
            return webhook

        assert happen().failing_since is not None and webhook.active
        assert happen(1.9).active
        assert happen(5).active and webhook.failing_since is None, "it has arrived"
        assert happen().active
        assert not happen(2.1).active and "for 2 days" in webhook.trouble and "500" in webhook.trouble
        sent = len(server.requests)
        happen()
        assert len(server.requests) == sent
        services.change(webhook, active=True)
        assert (webhook.active, webhook.trouble, webhook.failing_since) == (True, "", None)


def test_a_message_that_was_given_up_is_sent_again_as_it_was_and_tried_as_often_as_a_new_one(
    alice: User, settings: Any
) -> None:
    settings.WEBHOOK_PAUSES = [5]
    with Receiver(500, 500, 500, 204) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url).webhook
        jobs.cancel(submit(alice))
        row = Delivery.objects.get()

        def try_twice() -> str:
            deliver_all()
            later(seconds=5)
            deliver_all()
            row.refresh_from_db()
            return row.state

        with pytest.raises(services.NotPossible, match="Only a message that failed"):
            services.resend(webhook, row.pk)
        assert try_twice() == "failed"
        fresh = services.resend(webhook, row.pk)
        assert (fresh.pk, fresh.state, fresh.attempts, fresh.error) == (row.pk, "pending", 0, "")
        assert try_twice() == "delivered" and row.attempts == 2
        with pytest.raises(services.NotPossible, match="Only a message that failed"):
            services.resend(webhook, row.pk)
    assert len(server.requests) == 4
    assert len({(request.headers["webhook-id"], request.body) for request in server.requests}) == 1


def test_a_sender_from_before_a_message_was_sent_again_writes_nothing(alice: User, settings: Any) -> None:
    settings.WEBHOOK_PAUSES = []
    with Receiver(500, 204) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url).webhook
        jobs.cancel(submit(alice))
        hung = delivery.claim_next()
        assert hung is not None
        later(seconds=delivery.LEASE.total_seconds())
        assert deliver_all() == 1
        services.resend(webhook, hung.pk)
        again = delivery.claim_next()
        assert again is not None and (again.pk, again.attempts) == (hung.pk, hung.attempts)
        delivery.attempt(hung)
        again.refresh_from_db()
        assert (again.state, again.status) == ("sending", None)


def test_what_a_switched_off_webhook_dropped_is_sent_again_once_it_is_on(
    alice: User, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make(alice, receiver.url).webhook
    jobs.cancel(submit(alice))
    # In another tab.
    services.change(Webhook.objects.get(), active=False)
    row = Delivery.objects.get()
    with pytest.raises(services.NotPossible, match="Switch it on"):
        services.resend(webhook, row.pk)
    services.change(webhook, active=True)
    rung: list[bool] = []
    monkeypatch.setattr(services, "ring", lambda: rung.append(True))
    services.resend(webhook, row.pk)
    assert rung == [True] and deliver_all() == 1 and len(receiver.requests) == 1


def test_who_answers_410_is_told_nothing_more(alice: User, settings: Any) -> None:
    with Receiver(410) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url).webhook
        for _ in range(2):
            jobs.cancel(submit(alice))
        deliver_all()
    webhook.refresh_from_db()
    assert not webhook.active and "410" in webhook.trouble
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed"}
    assert len(server.requests) == 1
