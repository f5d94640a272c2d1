"""Create, change and delete webhooks, and queue a message for each webhook that sends an event."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from botfactory import net
from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.broker import doorbell
from botfactory.webhooks import event_types, signing
from botfactory.webhooks.event_types import TEST
from botfactory.webhooks.models import Delivery, Webhook
from botfactory.words.translatable import mark
from botfactory.words.translation import grouped, stored, translated

logger = logging.getLogger(__name__)

LONGEST_URL: Final = 2000
#: The delivery workers' own queue, so that a slow receiver can't hold up an import.
QUEUE: Final = "webhooks"
#: The task that takes the messages of that queue (webhooks/tasks.py).
DELIVER: Final = "botfactory.webhooks.tasks.deliver"
#: Limits of one try, from the name lookup to the first line of the answer.
_PATIENCE: Final = net.Patience(timeout_seconds=5.0, total_seconds=10.0, max_answer_bytes=0)
#: Limit of the name lookup for a new address: somebody is waiting for the answer.
_LOOKUP_SECONDS: Final = 3.0


class WebhookError(Exception):
    """The message is a sentence for the person. `code` is for programs; `param` names the wrong field."""

    code = "webhook_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class BadUrl(WebhookError):
    code = "bad_url"


class NotPossible(WebhookError):
    """The message can't be sent again now; the sentence says why."""

    code = "not_possible"


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """`secret` is what the receiver verifies with. It is shown only once, so the repr leaves it out."""

    webhook: Webhook
    secret: str = field(repr=False)


def webhooks_for_user(user: Any) -> QuerySet[Webhook]:
    """Return the webhooks that `user` may see: their own."""
    if not (user.is_authenticated and user.is_active):
        return Webhook.objects.none()
    return Webhook.objects.filter(owner=user)


def webhook_for_user(user: Any, webhook_id: uuid.UUID) -> Webhook:
    """Return the webhook. Webhook.DoesNotExist if it belongs to someone else or doesn't exist."""
    return webhooks_for_user(user).get(pk=webhook_id)


def client() -> net.Client:
    """Return the client for webhooks. It reaches the public internet and WEBHOOK_PRIVATE_SERVERS only."""
    return net.Client(_PATIENCE, trusted=settings.WEBHOOK_PRIVATE_SERVERS, also_http=True)


def create(*, owner: User, url: str, events: Collection[str]) -> NewWebhook:
    """Create a webhook. BadUrl if the address is not allowed, LimitReached at the limit."""
    webhook = Webhook(owner=owner, url=_checked_url(url), events=_checked_events(events))
    secret = signing.give_secret(webhook)
    with transaction.atomic():
        limits.require_room(owner, {"webhooks": 1})
        webhook.save(force_insert=True)
    return NewWebhook(webhook, secret)


def change(
    webhook: Webhook, *, url: str | None = None, events: Collection[str] | None = None, active: bool | None = None
) -> Webhook:
    """Change what is not None. Switching it off also drops its pending messages.

    Webhook.DoesNotExist if it has been deleted meanwhile.
    """
    changed: dict[str, Any] = {}
    if url is not None and url != webhook.url:
        changed["url"] = _checked_url(url)
    if events is not None:
        changed["events"] = _checked_events(events)
    with held(webhook):
        # Only the changed columns: the others may have changed since the row was read.
        if changed:
            Webhook.objects.filter(pk=webhook.pk).update(**changed)
        if active is True:
            # A fresh start: earlier failures don't count.
            fresh: dict[str, Any] = {"trouble": "", "trouble_words": {}, "failing_since": None}
            Webhook.objects.filter(pk=webhook.pk).update(active=True, switched_off_at=None, mail_due_at=None, **fresh)
        elif active is False:
            switch_off(webhook)
        webhook.refresh_from_db()
    return webhook


def renew_secret(webhook: Webhook) -> NewWebhook:
    """Give the webhook a new secret. For a day messages are signed with the earlier ones too, if they are known.

    Webhook.DoesNotExist if it has been deleted meanwhile.
    """
    with held(webhook):
        # Of two renewals at once, the second must keep the first one's secret as a former one.
        webhook.refresh_from_db()
        secret = signing.give_secret(webhook)
        webhook.save(update_fields=["salt", "secret_check", "former_salts"])
    return NewWebhook(webhook, secret)


def resend(webhook: Webhook, delivery_id: uuid.UUID) -> Delivery:
    """Queue a failed message again, with the same id and content, and with as many tries as a new one.

    NotPossible unless it has failed and the webhook is on. Delivery.DoesNotExist for a message that it doesn't have,
    Webhook.DoesNotExist if the webhook has been deleted meanwhile.
    """
    with held(webhook):
        webhook.refresh_from_db()
        delivery = webhook.deliveries.get(pk=delivery_id)
        if delivery.event == TEST:
            raise NotPossible(_("A test isn’t sent again. Send a new one."))
        if not webhook.active:
            raise NotPossible(_("This webhook is off. Switch it on, then send the message again."))
        fresh: dict[str, Any] = {"attempts": 0, "status": None, "error": "", "error_words": {}, "seconds": None}
        failed = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.FAILED)
        if not failed.update(state=Delivery.State.PENDING, due_at=timezone.now(), tried_at=None, **fresh):
            raise NotPossible(_("Only a message that failed can be sent again."))
        transaction.on_commit(ring)
    delivery.refresh_from_db()
    return delivery


def delete(webhook: Webhook) -> None:
    """Delete the webhook and the log of its messages. Webhook.DoesNotExist if it is gone already."""
    with held(webhook):
        webhook.delete()


@contextmanager
def held(webhook: Webhook) -> Iterator[None]:
    """Run a block in a transaction with the webhook's row locked. Webhook.DoesNotExist if it is gone."""
    with transaction.atomic():
        Webhook.objects.select_for_update(no_key=True).only("pk").get(pk=webhook.pk)
        yield


def switch_off(webhook: Webhook, trouble: str = "") -> None:
    """Switch the webhook off and drop its pending messages. Only its owner can switch it on again.

    `trouble`: why, if the owner didn't do it, marked for translation. The owner then gets a mail.
    """
    with transaction.atomic():
        why: dict[str, Any] = {"trouble": str(trouble), "trouble_words": stored(trouble)}
        if trouble:
            why |= {"switched_off_at": timezone.now(), "mail_due_at": timezone.now()}
        Webhook.objects.filter(pk=webhook.pk, active=True).update(active=False, **why)
        waiting = Delivery.objects.filter(webhook=webhook, state=Delivery.State.PENDING)
        why_not = mark("The webhook was switched off.")
        waiting.update(state=Delivery.State.FAILED, due_at=None, error=why_not, error_words={})


def note(owner: int, event: str, subject_id: uuid.UUID, data: Mapping[str, Any] | None = None) -> None:
    """Queue a message for each of the owner's webhooks that sends this event.

    data: what the message says beside the id. Call it in the transaction that causes the event, so that both are
    committed or neither.
    """
    assert event in event_types.names(), "apps register their kinds of events"
    assert connection.in_atomic_block, "the event and its messages are committed together"
    # Locked: a webhook deleted before the commit would roll back the event itself.
    active = Webhook.objects.filter(owner=owner, owner__is_active=True, active=True)
    senders = [webhook for webhook in active.select_for_update(of=("self",), no_key=True) if event in webhook.events]
    if not senders:
        return
    what: dict[str, Any] = {"event": event, "subject_id": subject_id, "data": dict(data or {})}
    Delivery.objects.bulk_create(Delivery(webhook=webhook, **what) for webhook in senders)
    transaction.on_commit(ring)


def ring() -> None:
    """Call a worker for what is due. If the broker can't be reached, the scheduler's next look finds it."""
    try:
        doorbell.ring(DELIVER, queue=QUEUE)
    except Exception as error:
        logger.warning("webhooks: the broker can't be reached (%s); messages are sent later", error)


def register() -> None:
    """Register the count of webhooks with the limits. For AppConfig.ready."""
    limits.register_rows("webhooks", Webhook)


def _checked_url(url: str) -> str:
    url = url.strip()
    if not 0 < len(url) <= LONGEST_URL or any(character <= " " for character in url):
        message = _("An address must have 1 to %(most)s characters and no spaces.")
        raise BadUrl(message % {"most": grouped(LONGEST_URL)}, "url")
    try:
        client().check(url)
    except net.Refused as refusal:
        raise BadUrl(translated(refusal.message), "url") from None
    if client().leads_inside(url, lookup_seconds=_LOOKUP_SECONDS):
        raise BadUrl(
            _(
                "This address is in a private network, so messages can’t be sent there. Use one on the public "
                "internet, or ask your administrator to allow this server (WEBHOOK_PRIVATE_SERVERS)."
            ),
            "url",
        )
    return url


def _checked_events(events: Collection[str]) -> list[str]:
    chosen: list[str] = [name for name in event_types.names() if name in events]
    if not chosen or len(chosen) < len(set(events)):
        message = _("Choose one or more events: %(events)s.")
        raise WebhookError(message % {"events": ", ".join(event_types.names())}, "events")
    return chosen
