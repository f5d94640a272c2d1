"""Mail to the owner of a webhook that was switched off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.core.mail import EmailMessage
from django.utils import timezone

from botfactory.accounts import notifications
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.webhooks import mails, services, tasks
from botfactory.webhooks.models import Webhook
from tests import mailbox
from tests.conftest import signed_in
from tests.jobs.test_api import submit
from tests.webhooks.helpers import deliver_all, make
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def with_mail(settings: LazySettings, alice: User) -> None:
    mailbox.give_address(alice, settings)


@pytest.fixture
def webhook(alice: User, settings: Any) -> Webhook:
    """One whose server has said that it's gone."""
    with Receiver(410) as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        made = make(alice, server.url).webhook
        jobs.cancel(submit(alice))
        deliver_all()
    made.refresh_from_db()
    assert not made.active
    return made


def sent() -> list[tuple[str, str]]:
    tasks.send_mails()
    return mailbox.emptied()


def test_the_owner_gets_one_mail_that_says_why(webhook: Webhook) -> None:
    assert sent() == [
        (
            "[Bot Factory] A webhook was switched off",
            "127.0.0.1\n\nThe address answered 410 (gone).\n\n"
            "It gets no more messages until you switch it on again: Your account, Webhooks.\n",
        )
    ]
    assert sent() == []


def test_an_address_that_may_be_a_secret_is_not_in_the_mail(webhook: Webhook) -> None:
    Webhook.objects.update(url="https://hooks.example.org:8443/services/s3cret?token=s3cret")
    ((_, text),) = sent()
    assert text.startswith("hooks.example.org\n\n") and "s3cret" not in text


def test_it_is_in_the_language_that_its_owner_chose_and_links_to_the_page(webhook: Webhook, alice: User) -> None:
    chosen = {"training_succeeded": False, "training_failed": False}
    notifications.choose(alice, language="de", site="https://bots.example.org/", **chosen)
    ((subject, text),) = sent()
    assert subject.endswith("Webhook wurde ausgeschaltet")
    assert text.endswith(f"\n\nhttps://bots.example.org/webhooks/{webhook.pk}/\n")


def test_who_switches_it_off_or_on_gets_no_mail(webhook: Webhook) -> None:
    services.change(webhook, active=True)
    assert (webhook.switched_off_at, webhook.mail_due_at) == (None, None)
    services.change(webhook, active=False)
    assert sent() == []


def test_the_administrator_tells_the_owner(alice: User, admin: User, receiver: Receiver) -> None:
    webhook = make(alice, receiver.url).webhook
    chosen = {"_selected_action": [str(webhook.pk)], "action": "switch_off"}
    signed_in(admin).post("/admin/webhooks/webhook/", chosen)
    ((_, text),) = sent()
    assert "Switched off by the administrator." in text
    # It's off already.
    signed_in(admin).post("/admin/webhooks/webhook/", chosen)
    assert sent() == []


def test_two_workers_at_once_send_each_mail_once(
    webhook: Webhook, alice: User, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.switch_off(make(alice, receiver.url).webhook, "Switched off by the administrator.")
    mail_of, other = mails._mail, iter([tasks.send_mails])

    def slowly(row: Webhook) -> EmailMessage | None:
        # While the first mail is being written, another worker sends what is due.
        for send in other:
            send()
        return mail_of(row)

    monkeypatch.setattr(mails, "_mail", slowly)
    assert len(sent()) == 2 and not Webhook.objects.exclude(mail_due_at=None).exists()


def test_no_mail_goes_to_an_address_that_is_not_confirmed(webhook: Webhook) -> None:
    EmailAddress.objects.update(verified=False)
    assert sent() == []
    EmailAddress.objects.update(verified=True)
    assert sent() == []


def test_a_mail_that_cannot_be_sent_is_tried_again_for_a_day(webhook: Webhook, settings: LazySettings) -> None:
    works = settings.EMAIL_BACKEND
    # Nothing listens there.
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 1
    assert sent() == []
    Webhook.objects.filter(mail_due_at__gt=timezone.now()).update(mail_due_at=timezone.now())
    settings.EMAIL_BACKEND = works
    assert len(sent()) == 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    Webhook.objects.update(mail_due_at=timezone.now(), switched_off_at=timezone.now() - timedelta(days=2))
    assert sent() == []
    webhook.refresh_from_db()
    assert webhook.mail_due_at is None
