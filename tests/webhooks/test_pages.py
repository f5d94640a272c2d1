"""The pages of webhooks, as a browser requests them. For who sees which, see tests/test_access.py."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import services as jobs
from botfactory.webhooks import delivery, services, signing
from botfactory.webhooks.event_types import names
from botfactory.webhooks.models import Delivery, Webhook
from botfactory.webhooks.views import DELIVERIES_ON_A_PAGE
from tests import pseudo
from tests.conftest import confirmed, signed_in
from tests.jobs.test_api import submit
from tests.rest.helpers import Program, require_error
from tests.webhooks.helpers import deliver_all
from tests.webhooks.receiver import Receiver, content, is_signed

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
ANYWHERE = "https://example.com/bots"


def make(owner: User, url: str = ANYWHERE) -> Webhook:
    return services.create(owner=owner, url=url, events=names()).webhook


def errors_of(answer: Any) -> str:
    """Return the errors at the top of the page."""
    found = re.search(r"data-form-errors>(.*?)</div>", answer.content.decode(), re.DOTALL)
    return found[1] if found else ""


def test_a_new_one_shows_its_secret_once_and_signs_by_it(alice: User, receiver: Receiver) -> None:
    client = signed_in(alice)
    made = client.post("/webhooks/", {"url": receiver.url, "events": ["job.cancelled"]})
    # A redirect, so that reloading makes no second one; and only its own page shows the secret.
    other = make(alice)
    assert made.status_code == 302 and Webhook.objects.count() == 2
    for path in ("/webhooks/", f"/webhooks/{other.pk}/"):
        assert not SECRET.search(client.get(path).content.decode())
    assert not SECRET.search(signed_in(alice).get(made["Location"]).content.decode())
    page = client.get(made["Location"])
    secrets = SECRET.findall(page.content.decode())
    assert page.status_code == 200 and len(secrets) == 1 and "no-store" in page["Cache-Control"]
    for path in (made["Location"], "/webhooks/"):
        again = client.get(path).content.decode()
        assert receiver.url in again and "a job is cancelled" in again and not SECRET.search(again)
    other.delete()
    job = submit(alice)
    jobs.cancel(job)
    assert delivery.deliver_next()
    (request,) = receiver.requests
    assert is_signed(request, secrets[0]) and content(request)["data"] == {"id": str(job.pk)}
    page = client.get(f"/webhooks/{Webhook.objects.get().pk}/")
    assert "Arrived" in page.content.decode() and f"/jobs/{job.pk}/" in page.content.decode()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"url": "", "events": ["job.failed"]}, "Enter the address"),
        ({"url": ANYWHERE}, "at least one"),
        ({"url": ANYWHERE, "events": ["job.began"]}, "job.began"),
        ({"url": "ftp://example.com/", "events": ["job.failed"]}, "only over HTTPS or HTTP"),
        ({"url": "http://127.0.0.1:8000/", "events": ["job.failed"]}, "private network"),
        ({"url": f"{ANYWHERE}?{'x' * 2000}", "events": ["job.failed"]}, "2000"),
        ({"url": "nonsense", "events": ["job.failed"]}, "the address of a server"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_made_or_changed(alice: User, sent: dict[str, Any], told: str) -> None:
    client = signed_in(alice)
    answer = client.post("/webhooks/", sent)
    assert answer.status_code == 400 and told in errors_of(answer) and not Webhook.objects.exists()
    webhook = make(alice)
    answer = client.post(f"/webhooks/{webhook.pk}/", sent)
    assert answer.status_code == 400 and told in errors_of(answer)
    webhook.refresh_from_db()
    assert (webhook.url, webhook.events) == (ANYWHERE, list(names()))


def test_one_more_than_the_limit_is_refused_in_a_sentence(alice: User) -> None:
    PersonalLimits.objects.create(user=alice, webhooks=1)
    make(alice)
    page = signed_in(alice).post("/webhooks/", {"url": ANYWHERE, "events": ["job.failed"]})
    assert page.status_code == 400 and "You can have at most" in page.content.decode()
    assert Webhook.objects.count() == 1


def test_it_is_changed_switched_and_deleted(alice: User) -> None:
    client, webhook = signed_in(alice), make(alice)
    path = f"/webhooks/{webhook.pk}/"
    assert client.post(path, {"url": f"{ANYWHERE}/2", "events": ["job.failed"]}).status_code == 302
    client.post(f"{path}switch", {"active": "off"})
    webhook.refresh_from_db()
    assert (webhook.url, webhook.events, webhook.active) == (f"{ANYWHERE}/2", ["job.failed"], False)
    assert "Switch on" in client.get(path).content.decode()
    Webhook.objects.update(trouble="Its address answered 410: it is gone.", failing_since=timezone.now())
    assert "it is gone" in client.get("/webhooks/").content.decode()
    client.post(f"{path}switch", {"active": "on"})
    webhook.refresh_from_db()
    assert (webhook.active, webhook.trouble, webhook.failing_since) == (True, "", None)
    assert client.post(f"{path}delete").status_code == 302
    assert not Webhook.objects.exists() and client.get(path).status_code == 404


def test_what_another_window_has_changed_stays(alice: User) -> None:
    first, second = make(alice), Webhook.objects.get()
    services.change(Webhook.objects.get(), url=f"{ANYWHERE}/2")
    services.change(first, active=False)
    services.change(second, events=["job.failed"])
    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.events, webhook.active) == (f"{ANYWHERE}/2", ["job.failed"], False)


def test_a_test_tells_what_came_of_it(alice: User, settings: Any) -> None:
    client = signed_in(alice)
    with Receiver(500, 204) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url)
        failed, arrived = (client.post(f"/webhooks/{webhook.pk}/test", follow=True) for _ in range(2))
    assert "didn’t arrive. The answer was 500" in failed.content.decode()
    assert "The test arrived. The server answered 204 after" in arrived.content.decode()
    assert [content(request)["type"] for request in server.requests] == ["webhook.test"] * 2


def test_what_fails_and_what_waits_is_told(alice: User, settings: Any) -> None:
    with Receiver(503) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url)
        jobs.cancel(submit(alice))
        delivery.deliver_next()
        page = signed_in(alice).get(f"/webhooks/{webhook.pk}/").content.decode()
    assert "Nothing has arrived since" in page and "The answer was 503" in page and "Trying again in" in page
    assert "Failing" in signed_in(alice).get("/webhooks/").content.decode()


def test_a_message_that_failed_has_a_button_that_sends_it_again(alice: User, settings: Any) -> None:
    settings.WEBHOOK_PAUSES = []
    client = signed_in(alice)
    with Receiver(500, 204) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url)
        jobs.cancel(submit(alice))
        delivery.deliver_next()
        path = f"/webhooks/{webhook.pk}/"
        again = f"{path}messages/{Delivery.objects.get().pk}/resend"
        assert f'action="{again}"' in client.get(path).content.decode()
        services.change(webhook, active=False)
        assert "Send again" not in client.get(path).content.decode()
        assert "This webhook is off." in client.post(again, follow=True).content.decode()
        services.change(webhook, active=True)
        page = client.post(again, follow=True).content.decode()
        assert "The message is being sent again." in page and "Send again" not in page
        assert delivery.deliver_next() and len(server.requests) == 2
    assert client.post(f"{path}messages/{uuid.uuid4()}/resend").status_code == 404


def test_one_that_is_deleted_while_something_is_done_with_it_is_not_there(
    alice: User, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = services.webhook_for_user

    def found_and_then_deleted(user: User, webhook_id: uuid.UUID) -> Webhook:
        webhook = find(user, webhook_id)
        Webhook.objects.all().delete()
        return webhook

    monkeypatch.setattr(services, "webhook_for_user", found_and_then_deleted)
    client, program = confirmed(signed_in(alice)), Program(alice)
    form = {"url": receiver.url, "events": ["job.failed"]}
    for act in ("", "test", "switch", "secret"):
        assert client.post(f"/webhooks/{make(alice, receiver.url).pk}/{act}", form).status_code == 404, act
    for method, act in (("PATCH", ""), ("POST", "/test"), ("POST", "/secret")):
        answer = program.ask(
            method, f"/webhooks/{make(alice, receiver.url).pk}{act}", {} if method == "PATCH" else None
        )
        require_error(answer, 404, "not_found")
    assert receiver.requests == []

    monkeypatch.undo()
    write = delivery.body_of

    def deleted_meanwhile(row: Delivery) -> bytes:
        Webhook.objects.all().delete()
        return write(row)

    monkeypatch.setattr(delivery, "body_of", deleted_meanwhile)
    assert client.post(f"/webhooks/{make(alice, receiver.url).pk}/test").status_code == 404


def test_a_secret_is_renewed_and_shown_once(alice: User, receiver: Receiver) -> None:
    client, webhook = confirmed(signed_in(alice)), make(alice, receiver.url)
    path = f"/webhooks/{webhook.pk}/"
    renewed = client.post(f"{path}secret")
    assert renewed.status_code == 302 and renewed["Location"] == path
    page = client.get(path).content.decode()
    (secret,) = SECRET.findall(page)
    assert "signed with the old secret as well" in page and not SECRET.search(client.get(path).content.decode())
    client.post(f"{path}test")
    assert is_signed(receiver.requests[0], secret) and is_signed(receiver.requests[0], signing.secret_of(webhook))


def test_a_lost_secret_is_told(alice: User, settings: Any) -> None:
    webhook = make(alice)
    client = signed_in(alice)
    assert "SECRET_KEY has changed" not in client.get(f"/webhooks/{webhook.pk}/").content.decode()
    Webhook.objects.update(salt="another")
    assert "SECRET_KEY has changed" in client.get(f"/webhooks/{webhook.pk}/").content.decode()


def test_many_messages_are_on_pages_the_newest_first(alice: User) -> None:
    webhook, now = make(alice), timezone.now()
    for number in range(DELIVERIES_ON_A_PAGE + 2):
        Delivery.objects.create(
            webhook=webhook,
            event="webhook.test",
            subject_id=webhook.pk,
            state="failed",
            error=f"Number {number}.",
            created_at=now - timedelta(minutes=number),
        )
    client = signed_in(alice)
    first, second = (client.get(f"/webhooks/{webhook.pk}/?page={page}").content.decode() for page in (1, 2))
    assert "Number 0." in first and f"Number {DELIVERIES_ON_A_PAGE}." not in first and "Next page" in first
    assert f"Number {DELIVERIES_ON_A_PAGE + 1}." in second and "Previous page" in second
    for nonsense in ("0", "x", "99999999999999999999"):
        assert client.get(f"/webhooks/{webhook.pk}/?page={nonsense}").status_code == 200


def test_the_account_counts_them(alice: User) -> None:
    client = signed_in(alice)
    counted = re.compile(r"<strong>Webhooks</strong>\s*<span class=\"quiet\">(\w+)</span>")
    for expected in ("None", "1"):
        found = counted.search(client.get("/account/").content.decode())
        assert found is not None and found[1] == expected
        make(alice)


def test_why_a_webhook_failed_is_shown_in_the_language_of_the_page(alice: User, settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), (pseudo.CODE, "Marks")]
    settings.WEBHOOK_PAUSES, settings.WEBHOOK_OFF_DAYS = [], 0
    with Receiver(500) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        webhook = make(alice, server.url)
        jobs.cancel(submit(alice))
        assert deliver_all() == 1
    webhook.refresh_from_db()
    why = "The answer was 500. A receiver must answer with a status from 200 to 299."
    assert webhook.trouble == f"No message has arrived for 0 days. Last try: {why}"
    with pseudo.marked():
        page = signed_in(alice).get(f"/webhooks/{webhook.pk}/", headers={"Accept-Language": pseudo.CODE})
        told = Program(alice).get(f"/webhooks/{webhook.pk}", Accept_Language=pseudo.CODE).json()
        (sent,) = Program(alice).get(f"/webhooks/{webhook.pk}/deliveries", Accept_Language=pseudo.CODE).json()["data"]
    shown = f"⟦No message has arrived for 0 days. Last try: ⟦{why}⟧⟧"
    assert shown in page.content.decode() and told["trouble"] == shown and sent["error"] == f"⟦{why}⟧"
