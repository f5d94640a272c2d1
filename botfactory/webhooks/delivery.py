"""Sending: what is due is claimed by one conditional UPDATE and tried; it has arrived, waits again or is given up."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from botfactory import net
from botfactory.retry_after import moment_of
from botfactory.webhooks import services, signing
from botfactory.webhooks.event_types import TEST
from botfactory.webhooks.models import Delivery, Webhook

logger = logging.getLogger(__name__)

#: Who has not written what came of a try for so long is taken for dead: a try ends long before.
LEASE: Final = timedelta(seconds=60)
#: How long it can be seen what came of a delivery.
KEPT_FOR: Final = timedelta(days=30)
#: A receiver that asks for a longer pause (Retry-After) gets this one.
LONGEST_PAUSE: Final = timedelta(days=1)
_GONE: Final = 410
_USER_AGENT: Final = "BotFactory/0.1 (webhooks)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try: the status of the answer, if there was one, and a sentence on what went wrong, or "".

    not_before: until when the receiver asks to be left alone.
    """

    status: int | None
    error: str
    not_before: datetime | None = None


def deliver_next() -> bool:
    """The delivery whose turn it is has been tried, if one is due; a worker is called where another is."""
    delivery = claim_next()
    if delivery is None:
        return False
    attempt(delivery)
    if _due().exists():
        services.ring()
    return True


def look() -> None:
    """A worker is called for what is due, as nobody may have heard of it; what is long over is gone."""
    over = Delivery.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    over.exclude(state__in=(Delivery.State.PENDING, Delivery.State.SENDING)).delete()
    if _due().exists():
        services.ring()


def claim_next() -> Delivery | None:
    """The delivery whose turn it is, now being sent from here; None where none is due.

    One at a time for each webhook, and those that work before those that fail: a receiver that hangs holds up nobody
    but itself.
    """
    while True:
        order = F("webhook__failing_since").desc(nulls_first=True)
        head = _due().order_by(order, "due_at").values_list("pk", "attempts").first()
        if head is None:
            return None
        now = timezone.now()
        claimed = (
            Delivery.objects.filter(pk=head[0], attempts=head[1])
            .filter(_claimable())
            .update(state=Delivery.State.SENDING, attempts=F("attempts") + 1, due_at=now + LEASE, tried_at=now)
        )
        mine = Delivery.objects.select_related("webhook").filter(pk=head[0]).first() if claimed else None
        if mine is not None:
            return mine
        # Somebody was faster, and has changed what is due, or has just deleted it.


def attempt(delivery: Delivery) -> Delivery:
    """A claimed delivery has been tried once, and what came of it is noted."""
    started = time.perf_counter()
    try:
        outcome = send(delivery)
    except Exception:
        # It counts as a failure: what breaks us must not be tried for ever.
        logger.exception("webhook %s: delivery %s could not be sent", delivery.webhook_id, delivery.pk)
        outcome = Outcome(
            None, "It could not be sent, by a mistake on our side. Your administrator finds it in the log."
        )
    seconds = time.perf_counter() - started
    changed: dict[str, Any] = {"status": outcome.status, "error": outcome.error, "seconds": seconds}
    webhook = delivery.webhook
    is_last = delivery.event == TEST or delivery.attempts > len(settings.WEBHOOK_PAUSES)
    if not outcome.error:
        changed |= {"state": Delivery.State.DELIVERED, "due_at": None}
    elif is_last or not Webhook.objects.filter(pk=webhook.pk, active=True).exists():
        changed |= {"state": Delivery.State.FAILED, "due_at": None}
    else:
        pause = timedelta(seconds=settings.WEBHOOK_PAUSES[delivery.attempts - 1])
        changed |= {"state": Delivery.State.PENDING, "due_at": _next_try(pause, outcome.not_before)}
    mine = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.SENDING, attempts=delivery.attempts)
    if mine.update(**changed):
        for name, value in changed.items():
            setattr(delivery, name, value)
        if delivery.event != TEST:
            _judge(webhook, outcome, is_given_up=changed["state"] == Delivery.State.FAILED)
    return delivery


def _next_try(pause: timedelta, not_before: datetime | None) -> datetime:
    """After the pause, or when the receiver asks for it if that is later."""
    now = timezone.now()
    usual = now + pause
    return usual if not_before is None else max(usual, min(not_before, now + LONGEST_PAUSE))


def send(delivery: Delivery) -> Outcome:
    """What came of sending it once; nothing is noted."""
    webhook = delivery.webhook
    if not signing.is_known(webhook):
        return Outcome(
            None,
            "The SECRET_KEY of this installation has changed, and with it the secret of this webhook: make a new one.",
        )
    body, timestamp = body_of(delivery), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": _USER_AGENT,
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.signatures(webhook, str(delivery.pk), timestamp, body),
    }
    try:
        answer = services.client().post(webhook.url, headers, body)
    except net.NetError as trouble:
        return Outcome(None, str(trouble))
    status, not_before = answer.status, moment_of(answer.headers.get("retry-after", ""), timezone.now())
    if 200 <= status < 300:
        return Outcome(status, "")
    if 300 <= status < 400:
        error = f"The answer was {status}, and no redirect is followed: set the address to where it leads."
    else:
        error = f"The answer was {status}; any status from 200 to 299 says that it has arrived."
    return Outcome(status, error, not_before)


def body_of(delivery: Delivery) -> bytes:
    """What is sent: the same bytes at each try. What has happened is asked for by its id, with a token."""
    moment = delivery.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content = {"type": delivery.event, "timestamp": moment, "data": {"id": str(delivery.subject_id)}}
    return json.dumps(content, separators=(",", ":")).encode()


def send_test(webhook: Webhook) -> Delivery:
    """A message that says nothing has been tried once; it is not sent again, and changes nothing of the webhook.

    Webhook.DoesNotExist where it was deleted before anything came of it.
    """
    now = timezone.now()
    with services.held(webhook):
        delivery = Delivery.objects.create(
            webhook=webhook,
            event=TEST,
            subject_id=webhook.pk,
            state=Delivery.State.SENDING,
            attempts=1,
            due_at=now + LEASE,
            tried_at=now,
        )
    if attempt(delivery).state == Delivery.State.SENDING:
        raise Webhook.DoesNotExist("It was deleted while the test was on its way.")
    return delivery


def _judge(webhook: Webhook, outcome: Outcome, *, is_given_up: bool) -> None:
    """A webhook that has failed for too long is switched off, and so is one whose receiver says that it is gone."""
    rows = Webhook.objects.filter(pk=webhook.pk)
    if not outcome.error:
        rows.exclude(failing_since=None).update(failing_since=None)
        return
    now = timezone.now()
    rows.filter(failing_since=None).update(failing_since=now)
    days = settings.WEBHOOK_OFF_DAYS
    if outcome.status == _GONE:
        services.switch_off(webhook, "Its address answered 410: it is gone.")
    elif is_given_up and rows.filter(failing_since__lte=now - timedelta(days=days)).exists():
        services.switch_off(webhook, f"Nothing has arrived for {days} days. The last try: {outcome.error}")
        logger.info("webhook %s is switched off: nothing has arrived for %s days", webhook.pk, days)


def _claimable() -> Q:
    """What waits and is due, or was being sent by somebody who has died since."""
    return Q(
        state__in=(Delivery.State.PENDING, Delivery.State.SENDING),
        due_at__lte=timezone.now(),
        webhook__active=True,
        webhook__owner__is_active=True,
    )


def _due() -> QuerySet[Delivery]:
    """What may be sent now; nothing to whom something is being sent."""
    busy = Delivery.objects.filter(state=Delivery.State.SENDING, due_at__gt=timezone.now())
    return Delivery.objects.filter(_claimable()).exclude(webhook__in=busy.values("webhook"))
