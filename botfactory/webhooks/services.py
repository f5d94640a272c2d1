"""Webhooks: made, changed, deleted; and what happened is noted for those that are to be told of it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from botfactory import doorbell, net
from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.webhooks import signing
from botfactory.webhooks.event_types import EVENT_TYPES, EventType
from botfactory.webhooks.models import Delivery, Webhook

logger = logging.getLogger(__name__)

LONGEST_URL: Final = 2000
#: The queue of the workers that deliver: slow receivers hold up no import.
QUEUE: Final = "webhooks"
#: The task that its messages are for (webhooks/tasks.py).
DELIVER: Final = "botfactory.webhooks.tasks.deliver"
#: For one try, from looking up the name to the answer's first line.
_PATIENCE: Final = net.Patience(timeout_seconds=5.0, total_seconds=10.0, max_answer_bytes=0)


#: For looking up the name in a new address: somebody waits for the answer.
_LOOKUP_SECONDS: Final = 3.0


class WebhookError(Exception):
    """A sentence for the person; `code` for programs, and in `param` what was wrong."""

    code = "webhook_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class BadUrl(WebhookError):
    code = "bad_url"


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """`secret` is what its receiver verifies with. It is told now and never again, hence kept out of the repr."""

    webhook: Webhook
    secret: str = field(repr=False)


def webhooks_for_user(user: Any) -> QuerySet[Webhook]:
    """The webhooks that `user` may see: their own."""
    if not (user.is_authenticated and user.is_active):
        return Webhook.objects.none()
    return Webhook.objects.filter(owner=user)


def webhook_for_user(user: Any, webhook_id: uuid.UUID) -> Webhook:
    """The webhook; Webhook.DoesNotExist for a stranger as for an id that was never given out."""
    return webhooks_for_user(user).get(pk=webhook_id)


def client() -> net.Client:
    """How webhooks are reached: on the public internet, and where the operator has named a server of their own."""
    return net.Client(_PATIENCE, trusted=settings.WEBHOOK_PRIVATE_SERVERS, also_http=True)


def create(*, owner: User, url: str, events: Collection[str]) -> NewWebhook:
    """The person has one more webhook. BadUrl for an address that may not be asked, LimitReached above the limit."""
    webhook = Webhook(owner=owner, url=_checked_url(url), events=_checked_events(events))
    secret = signing.give_secret(webhook)
    with transaction.atomic():
        limits.require_room(owner, {"webhooks": 1})
        webhook.save(force_insert=True)
    return NewWebhook(webhook, secret)


def change(
    webhook: Webhook, *, url: str | None = None, events: Collection[str] | None = None, active: bool | None = None
) -> Webhook:
    """The webhook is as asked; what is None stays. Switched off, it is sent nothing more; what waits is given up.

    Webhook.DoesNotExist where it was deleted meanwhile.
    """
    changed: dict[str, Any] = {}
    if url is not None and url != webhook.url:
        changed["url"] = _checked_url(url)
    if events is not None:
        changed["events"] = _checked_events(events)
    with held(webhook):
        # Only what is asked for: the rest may have been changed since the row was read.
        if changed:
            Webhook.objects.filter(pk=webhook.pk).update(**changed)
        if active is True:
            # A new chance: what failed before does not count.
            Webhook.objects.filter(pk=webhook.pk).update(active=True, trouble="", failing_since=None)
        elif active is False:
            switch_off(webhook)
        webhook.refresh_from_db()
    return webhook


def renew_secret(webhook: Webhook) -> NewWebhook:
    """Messages are signed by a new secret, and for a day by those before too, if they are known.

    Webhook.DoesNotExist where it was deleted meanwhile.
    """
    with held(webhook):
        # Of two that are renewed at once, each has the one that the other has made as its former.
        webhook.refresh_from_db()
        secret = signing.give_secret(webhook)
        webhook.save(update_fields=["salt", "secret_check", "former_salts"])
    return NewWebhook(webhook, secret)


def delete(webhook: Webhook) -> None:
    """It is told of nothing more, and what is known of its messages is gone.

    Webhook.DoesNotExist where it was gone already.
    """
    with held(webhook):
        webhook.delete()


@contextmanager
def held(webhook: Webhook) -> Iterator[None]:
    """A transaction in which nobody else deletes or changes the webhook; Webhook.DoesNotExist where it is gone."""
    with transaction.atomic():
        Webhook.objects.select_for_update(no_key=True).only("pk").get(pk=webhook.pk)
        yield


def switch_off(webhook: Webhook, trouble: str = "") -> None:
    """The webhook is told of nothing more until its owner switches it on; what waits is given up."""
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk, active=True).update(active=False, trouble=trouble)
        waiting = Delivery.objects.filter(webhook=webhook, state=Delivery.State.PENDING)
        waiting.update(state=Delivery.State.FAILED, due_at=None, error="The webhook was switched off.")


def note(owner: int, happening: EventType, subject_id: uuid.UUID) -> None:
    """Each webhook of the person that is to be told of it will be, once the transaction is committed and not else.

    Inside the transaction in which it happens.
    """
    assert connection.in_atomic_block, "what has happened and who is to be told are committed together"
    # Held, so that none is deleted before the commit, which would undo whatever has happened.
    active = Webhook.objects.filter(owner=owner, owner__is_active=True, active=True)
    told = [webhook for webhook in active.select_for_update(of=("self",), no_key=True) if happening in webhook.events]
    if not told:
        return
    Delivery.objects.bulk_create(Delivery(webhook=webhook, event=happening, subject_id=subject_id) for webhook in told)
    transaction.on_commit(ring)


def ring() -> None:
    """A worker will look for what is due, if the broker can be reached; else the next look of the clock finds it."""
    try:
        doorbell.ring(DELIVER, queue=QUEUE)
    except Exception as error:
        logger.warning("webhooks: the broker cannot be reached (%s); what is due is sent later", error)


def register() -> None:
    """What webhooks count is registered with the limits. For AppConfig.ready."""
    limits.register_counter("webhooks", lambda user: Webhook.objects.filter(owner=user).count())


def _checked_url(url: str) -> str:
    url = url.strip()
    if not 0 < len(url) <= LONGEST_URL or any(character <= " " for character in url):
        raise BadUrl(f"An address has 1 to {LONGEST_URL:,} characters, and no space.", "url")
    try:
        client().check(url)
    except net.Refused as refusal:
        raise BadUrl(str(refusal), "url") from None
    if client().leads_inside(url, lookup_seconds=_LOOKUP_SECONDS):
        raise BadUrl(
            "This address is in a private network, so nothing can be sent there. Use one on the public internet, or "
            "ask your administrator to allow this server (WEBHOOK_PRIVATE_SERVERS).",
            "url",
        )
    return url


def _checked_events(events: Collection[str]) -> list[str]:
    chosen: list[str] = [name for name in EVENT_TYPES if name in events]
    if not chosen or len(chosen) < len(set(events)):
        raise WebhookError(f"Choose one or more events: {', '.join(EVENT_TYPES)}.", "events")
    return chosen
