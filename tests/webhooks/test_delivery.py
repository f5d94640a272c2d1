"""What happens is told: signed, again and again until it arrives, and never to a private network."""

from __future__ import annotations

import socket
import uuid
from datetime import timedelta
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.db import transaction
from django.utils import timezone

from botfactory import net
from botfactory.accounts.models import User
from botfactory.jobs import reaper, worker
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.webhooks import delivery, services, signing
from botfactory.webhooks.happenings import HAPPENINGS
from botfactory.webhooks.models import Delivery, Webhook
from tests.jobs.test_api import fail, submit
from tests.ops.helpers import NOWHERE
from tests.product import wait_for
from tests.tweets.sources.networks import PUBLIC, Network
from tests.webhooks.receiver import Receiver, content, is_signed

pytestmark = pytest.mark.django_db(transaction=True)


def make(owner: User, url: str, *events: str) -> services.NewWebhook:
    return services.create(owner=owner, url=url, events=events or HAPPENINGS)


def deliver_all() -> int:
    count = 0
    while delivery.deliver_next():
        count += 1
    return count


def later(**time: float) -> None:
    """So much later: what waits is due that much sooner."""
    for row in Delivery.objects.exclude(due_at=None):
        assert row.due_at is not None
        Delivery.objects.filter(pk=row.pk).update(due_at=row.due_at - timedelta(**time))


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
    made = signing.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
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
        # That of alice waits longer, and failed before.
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


def test_a_redirect_is_not_followed(alice: User, settings: Any) -> None:
    with Receiver() as inside, Receiver(307, headers={"Location": inside.url}) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url, inside.url]
        make(alice, server.url)
        jobs.cancel(submit(alice))
        deliver_all()
        assert (len(server.requests), inside.requests) == (1, [])
    row = Delivery.objects.get()
    assert (row.status, row.state) == (307, "pending") and "no redirect is followed" in row.error


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
def test_a_name_that_leads_into_a_private_network_is_not_asked(
    alice: User, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: [(0, 0, 0, "", (address, 443))])
    monkeypatch.setattr(socket, "create_connection", lambda *args, **more: asked.append(args))
    make(alice, "https://hooks.example/")
    jobs.cancel(submit(alice))
    deliver_all()
    row = Delivery.objects.get()
    assert "private network" in row.error and (row.status, asked) == (None, [])


def test_it_is_sent_to_the_very_address_that_was_checked() -> None:
    with Receiver() as server:
        network = Network(hooks_example=[[PUBLIC], ["127.0.0.1"]])
        network.port = server.port
        client = net.Client(net.Patience(5, 10, 0), also_http=True, wire=network.wire())
        assert client.post("http://hooks.example/", {}, b"{}").status == 204
        assert network.connected == [(PUBLIC, 80)] and network.resolved == ["hooks.example"]
        with pytest.raises(net.Refused, match="private network"):
            client.post("http://hooks.example/", {}, b"{}")
        assert len(server.requests) == 1


def test_a_server_that_says_nothing_is_given_up_in_time(alice: User, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = net.Client(net.Patience(0.3, 5, 0), trusted=[url], also_http=True)
        started = timezone.now()
        with pytest.raises(net.Unavailable):
            client.post(url, {}, b"{}")
        assert timezone.now() - started < timedelta(seconds=3)


def test_under_another_secret_key_nothing_is_signed(alice: User, receiver: Receiver, settings: Any) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    settings.SECRET_KEY = "another one"
    deliver_all()
    assert receiver.requests == [] and "SECRET_KEY" in Delivery.objects.get().error


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


def test_secrets_are_nowhere_in_the_database_and_each_is_another(alice: User, receiver: Receiver) -> None:
    first, second = make(alice, receiver.url), make(alice, receiver.url)
    assert first.secret != second.secret and first.secret not in repr(first)
    for row in Webhook.objects.values_list():
        assert not any(new.secret[6:40] in str(row) for new in (first, second))
    assert signing.secret_of(Webhook.objects.get(pk=first.webhook.pk)) == first.secret


def test_what_was_noted_while_a_webhook_was_switched_off_is_not_sent(alice: User, receiver: Receiver) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    # Without giving up what waits, as when both happen at once.
    Webhook.objects.update(active=False)
    assert deliver_all() == 0 and receiver.requests == []


def test_nothing_is_sent_for_who_was_deactivated(alice: User, receiver: Receiver) -> None:
    make(alice, receiver.url)
    jobs.cancel(submit(alice))
    User.objects.update(is_active=False)
    assert deliver_all() == 0
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


@pytest.mark.parametrize("address", ["ftp://a.example/", "//a.example", "https://", "https://u:p@a.example/"])
def test_what_is_no_address_is_refused(alice: User, address: str) -> None:
    with pytest.raises(services.BadUrl):
        make(alice, address)


def test_a_real_worker_is_rung_and_delivers(alice: User, receiver: Receiver) -> None:
    from botfactory.celery import app

    new = make(alice, receiver.url)
    with start_worker(app, queues=[services.QUEUE], pool="threads", perform_ping_check=False):
        jobs.cancel(submit(alice))
        worker.run(submit(alice).pk)
        wait_for("both messages", lambda: Delivery.objects.filter(state="delivered").count() == 2)
    assert len(receiver.requests) == 2
    assert all(is_signed(request, new.secret) for request in receiver.requests)
