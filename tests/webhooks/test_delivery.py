"""Webhooks report what happened: signed, only to the owner, and only once it has happened."""

from __future__ import annotations

import uuid
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.db import connection, transaction
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import reaper, worker
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.webhooks import delivery, services, signature, signing
from botfactory.webhooks.models import Delivery, Webhook
from tests.jobs.test_api import fail, submit
from tests.product import wait_for
from tests.webhooks.helpers import deliver_all, later, make
from tests.webhooks.receiver import Receiver, content, is_signed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_each_end_of_a_job_is_told_signed_and_by_its_id_alone(alice: User, receiver: Receiver) -> None:
    new = make(alice, f"{receiver.url}/bots?from=here")
    succeeded, failed, cancelled = submit(alice), submit(alice, run=fail, name="failing"), submit(alice)
    worker.run(succeeded.pk)
    worker.run(failed.pk)
    jobs.cancel(cancelled)
    assert deliver_all() == 3
    expected = [("job.succeeded", succeeded), ("job.failed", failed), ("job.cancelled", cancelled)]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 3
    for request, (event, job) in zip(receiver.requests, expected, strict=True):
        assert (request.path, request.query) == ("/bots", {"from": "here"})
        said = content(request)
        assert said.pop("timestamp").endswith("Z") and said == {"type": event, "data": {"id": str(job.pk)}}
        assert is_signed(request, new.secret) and not is_signed(request, new.secret[:-4] + "AAA=")
        assert abs(int(request.headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    row = Delivery.objects.get(subject_id=succeeded.pk)
    assert (row.state, row.status, row.error, row.due_at) == ("delivered", 204, "", None)


def test_the_signature_is_that_of_the_standard() -> None:
    # The example of standardwebhooks.com's own libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_jobs_that_a_reaper_ends_are_told_too(alice: User, receiver: Receiver) -> None:
    make(alice, receiver.url)
    lost, leaving = submit(alice), submit(alice)
    for job in (lost, leaving):
        assert worker.claim(job.pk) is not None
    jobs.cancel(leaving)
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(days=1), interruptions=10)
    reaper.reap()
    assert deliver_all() == 2
    told = {(content(request)["type"], content(request)["data"]["id"]) for request in receiver.requests}
    assert told == {("job.failed", str(lost.pk)), ("job.cancelled", str(leaving.pk))}


def test_only_its_owner_is_told_and_only_of_what_was_asked_for(alice: User, bob: User, receiver: Receiver) -> None:
    make(alice, f"{receiver.url}/failures", "job.failed")
    make(bob, f"{receiver.url}/of-bob")
    off = make(alice, f"{receiver.url}/off").webhook
    services.change(off, active=False)
    worker.run(submit(alice).pk)
    worker.run(submit(alice, run=fail, name="failing").pk)
    assert deliver_all() == 1
    assert [request.path for request in receiver.requests] == ["/failures"]


def test_the_end_and_its_message_are_there_together_or_not_at_all(
    alice: User, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(alice, receiver.url)
    job = submit(alice)

    def broken(*args: Any) -> None:
        raise RuntimeError("the process dies here")

    with monkeypatch.context() as patch:
        patch.setattr(services, "note", broken)
        with pytest.raises(RuntimeError):
            jobs.cancel(job)
    job.refresh_from_db()
    assert (job.state, Delivery.objects.count()) == ("queued", 0)
    with pytest.raises(RuntimeError), transaction.atomic():
        jobs.cancel(job)
        raise RuntimeError
    assert Delivery.objects.count() == 0
    jobs.cancel(job)
    assert Delivery.objects.count() == 1


def test_under_another_secret_key_nothing_is_signed(alice: User, receiver: Receiver, settings: Any) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    settings.SECRET_KEY = "another one"
    deliver_all()
    assert receiver.requests == [] and "SECRET_KEY" in Delivery.objects.get().error
    webhook = Webhook.objects.get()
    renewed = services.renew_secret(webhook)
    delivery.send_test(webhook)
    (request,) = receiver.requests
    assert is_signed(request, renewed.secret) and " " not in request.headers["webhook-signature"]


def test_for_a_day_messages_are_signed_by_the_former_secrets_too(alice: User, receiver: Receiver) -> None:
    first = make(alice, receiver.url)
    webhook = first.webhook
    second = services.renew_secret(Webhook.objects.get())
    delivery.send_test(Webhook.objects.get())
    # Even if the row was read earlier, each renewal follows the current one.
    third = services.renew_secret(webhook)
    delivery.send_test(Webhook.objects.get())
    row = Webhook.objects.get()
    row.former_salts = [[salt, until - 86_400 * (at > 0)] for at, (salt, until) in enumerate(row.former_salts)]
    row.save()
    delivery.send_test(Webhook.objects.get())
    signed = [[is_signed(request, new.secret) for new in (first, second, third)] for request in receiver.requests]
    assert signed == [[True, True, False], [True, True, True], [False, True, True]]
    for _ in range(20):
        services.renew_secret(webhook)
    assert len(Webhook.objects.get().former_salts) == 8


def test_what_breaks_us_is_not_tried_for_ever(
    alice: User, receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_PAUSES = [5]

    def broken(row: Delivery) -> bytes:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(delivery, "body_of", broken)
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    for _ in range(2):
        assert deliver_all() == 1
        later(seconds=5)
    row = Delivery.objects.get()
    assert (row.state, row.attempts, deliver_all()) == ("failed", 2, 0)
    assert "our side" in row.error and "secret" not in row.error


def test_a_webhook_that_is_deleted_while_it_is_sent_to_is_gone(alice: User, receiver: Receiver) -> None:
    webhook = make(alice, receiver.url).webhook
    jobs.cancel(submit(alice))
    held = delivery.claim_next()
    webhook.delete()
    assert held is not None and delivery.attempt(held).state == "sending"
    assert not Delivery.objects.exists() and deliver_all() == 0


def test_a_webhook_cannot_be_deleted_from_under_what_is_about_to_be_committed(alice: User, receiver: Receiver) -> None:
    webhook = make(alice, receiver.url).webhook
    job = submit(alice)

    def delete() -> None:
        services.delete(webhook)
        connection.close()

    other = Thread(target=delete)
    with transaction.atomic():
        jobs.cancel(job)
        other.start()
        other.join(0.5)
        assert other.is_alive(), "it waits for the commit"
    other.join(20)
    job.refresh_from_db()
    assert job.state == "cancelled" and not Webhook.objects.exists() and not Delivery.objects.exists()


def test_secrets_are_nowhere_in_the_database_and_each_is_another(alice: User, receiver: Receiver) -> None:
    first, second = make(alice, receiver.url), make(alice, receiver.url)
    assert first.secret != second.secret and first.secret not in repr(first)
    for row in Webhook.objects.values_list():
        assert not any(new.secret[6:40] in str(row) for new in (first, second))
    assert signing.secret_of(Webhook.objects.get(pk=first.webhook.pk)) == first.secret


def test_what_was_noted_while_a_webhook_was_switched_off_is_not_sent(alice: User, receiver: Receiver) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    # Without cancelling what waits, as when both happen at once.
    Webhook.objects.update(active=False)
    assert deliver_all() == 0 and receiver.requests == []


def test_nothing_is_sent_for_who_was_deactivated(alice: User, receiver: Receiver) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    User.objects.update(is_active=False)
    assert deliver_all() == 0
    with transaction.atomic():
        services.note(alice.pk, "job.failed", uuid.uuid4())
    assert Delivery.objects.count() == 1
    User.objects.update(is_active=True)
    assert deliver_all() == 1


def test_what_is_long_over_is_forgotten_and_what_waits_is_not(alice: User, receiver: Receiver) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    deliver_all()
    jobs.cancel(submit(alice))
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    delivery.look()
    assert Delivery.objects.get().state == "pending"


def test_a_real_worker_is_rung_and_delivers(alice: User, receiver: Receiver) -> None:
    from botfactory.celery import app

    new = make(alice, receiver.url)
    with start_worker(app, queues=[services.QUEUE], pool="threads", perform_ping_check=False):
        jobs.cancel(submit(alice))
        worker.run(submit(alice).pk)
        wait_for("both messages", lambda: Delivery.objects.filter(state="delivered").count() == 2)
    assert len(receiver.requests) == 2
    assert all(is_signed(request, new.secret) for request in receiver.requests)
