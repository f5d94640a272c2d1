"""Send messages: claim one that is due by a conditional UPDATE, try it, and mark it delivered, waiting or failed."""

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
from botfactory.outages.retry_after import moment_of
from botfactory.webhooks import services, signature, signing
from botfactory.webhooks.event_types import TEST
from botfactory.webhooks.models import Delivery, Webhook
from botfactory.words.plurals import counted
from botfactory.words.translatable import Sentence, counted_sentence, mark
from botfactory.words.translation import stored

logger = logging.getLogger(__name__)

#: A sender that hasn't written its result after this time is presumed dead. A try takes far less.
LEASE: Final = timedelta(seconds=60)
#: How long the results of deliveries are kept.
KEPT_FOR: Final = timedelta(days=30)
#: A receiver that asks for a longer pause (Retry-After) gets this one.
LONGEST_PAUSE: Final = timedelta(days=1)
_GONE: Final = 410
_USER_AGENT: Final = "BotFactory/0.1 (webhooks)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a try: the status of the answer, if there was one, and a sentence about the error, or "".

    The sentence is marked for translation: it's stored with what `translation.stored` returns for it.

    not_before: the receiver asks for no messages until then.
    """

    status: int | None
    error: str
    not_before: datetime | None = None


def deliver_next() -> bool:
    """Try the next delivery that is due, if there is one. If more are due, call another worker for them."""
    delivery = claim_next()
    if delivery is None:
        return False
    attempt(delivery)
    if _due().exists():
        services.ring()
    return True


def look() -> None:
    """Call a worker for what is due, since an earlier call may be lost, and delete old results."""
    over = Delivery.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    over.exclude(state__in=(Delivery.State.PENDING, Delivery.State.SENDING)).delete()
    if _due().exists():
        services.ring()


def claim_next() -> Delivery | None:
    """Claim the next delivery and return it; None if none is due.

    Each webhook has one at a time, and working webhooks go before failing ones, so a receiver that hangs holds up only
    itself.
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
        # Another worker was faster, or the delivery was deleted. Look again.


def attempt(delivery: Delivery) -> Delivery:
    """Try a claimed delivery once and store the result."""
    started = time.perf_counter()
    try:
        outcome = send(delivery)
    except Exception:
        # Counts as a failure, so that a message that breaks our code isn't tried forever.
        logger.exception("webhook %s: delivery %s could not be sent", delivery.webhook_id, delivery.pk)
        outcome = Outcome(
            None,
            mark("It couldn’t be sent because of an error on our side. Your administrator can find it in the log."),
        )
    seconds = time.perf_counter() - started
    changed: dict[str, Any] = {
        "status": outcome.status,
        "error": str(outcome.error),
        "error_words": stored(outcome.error),
        "seconds": seconds,
    }
    webhook = delivery.webhook
    is_last = delivery.event == TEST or delivery.attempts > len(settings.WEBHOOK_PAUSES)
    if not outcome.error:
        # The receiver has it, and it's never sent again, so texts aren't kept here.
        changed |= {"state": Delivery.State.DELIVERED, "due_at": None, "data": {}}
    elif is_last or not Webhook.objects.filter(pk=webhook.pk, active=True).exists():
        changed |= {"state": Delivery.State.FAILED, "due_at": None}
    else:
        pause = timedelta(seconds=settings.WEBHOOK_PAUSES[delivery.attempts - 1])
        changed |= {"state": Delivery.State.PENDING, "due_at": _next_try(pause, outcome.not_before)}
    # The time, too: a message that is sent again counts its tries anew.
    claimed = {"state": Delivery.State.SENDING, "attempts": delivery.attempts, "tried_at": delivery.tried_at}
    mine = Delivery.objects.filter(pk=delivery.pk, **claimed)
    if mine.update(**changed):
        for name, value in changed.items():
            setattr(delivery, name, value)
        if delivery.event != TEST:
            _judge(webhook, outcome, is_given_up=changed["state"] == Delivery.State.FAILED)
    return delivery


def _next_try(pause: timedelta, not_before: datetime | None) -> datetime:
    """Return when to try again: after the pause, or later if the receiver asks for that."""
    now = timezone.now()
    usual = now + pause
    return usual if not_before is None else max(usual, min(not_before, now + LONGEST_PAUSE))


def send(delivery: Delivery) -> Outcome:
    """Send it once and return the result. Stores nothing."""
    webhook = delivery.webhook
    if not signing.is_known(webhook):
        return Outcome(
            None,
            mark("The SECRET_KEY of this installation has changed, so this webhook’s secret is lost. Make a new one."),
        )
    body, timestamp = body_of(delivery), int(time.time())
    signatures = signing.signatures(webhook, str(delivery.pk), timestamp, body)
    headers = {"User-Agent": _USER_AGENT, **signature.headers(str(delivery.pk), timestamp, signatures)}
    try:
        answer = services.client().post(webhook.url, headers, body)
    except net.NetError as trouble:
        return Outcome(None, trouble.message)
    status, not_before = answer.status, moment_of(answer.headers.get("retry-after", ""), timezone.now())
    if 200 <= status < 300:
        return Outcome(status, "")
    if 300 <= status < 400:
        error = mark("The answer was %(status)s. Redirects aren’t followed. Enter the address that it redirects to.")
    else:
        error = mark("The answer was %(status)s. A receiver must answer with a status from 200 to 299.")
    return Outcome(status, Sentence(error, status=status), not_before)


def body_of(delivery: Delivery) -> bytes:
    """Return the message, the same bytes for every try. The receiver asks the API for the rest, by the id."""
    moment = delivery.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content = {"type": delivery.event, "timestamp": moment, "data": {"id": str(delivery.subject_id), **delivery.data}}
    return json.dumps(content, separators=(",", ":")).encode()


def send_test(webhook: Webhook) -> Delivery:
    """Send a test message once. It isn't sent again, and it doesn't change the webhook's state.

    Webhook.DoesNotExist if the webhook is deleted before the result is stored.
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
        raise Webhook.DoesNotExist("It was deleted while the test was being sent.")
    return delivery


def _judge(webhook: Webhook, outcome: Outcome, *, is_given_up: bool) -> None:
    """Switch the webhook off if it has failed for too long or its receiver says it is gone."""
    rows = Webhook.objects.filter(pk=webhook.pk)
    if not outcome.error:
        rows.exclude(failing_since=None).update(failing_since=None)
        return
    now = timezone.now()
    rows.filter(failing_since=None).update(failing_since=now)
    days = settings.WEBHOOK_OFF_DAYS
    if outcome.status == _GONE:
        services.switch_off(webhook, mark("The address answered 410 (gone)."))
    elif is_given_up and rows.filter(failing_since__lte=now - timedelta(days=days)).exists():
        sentence = counted_sentence(
            "No message has arrived for %(count)s day. Last try: %(error)s",
            "No message has arrived for %(count)s days. Last try: %(error)s",
            days,
            error=outcome.error,
        )
        services.switch_off(webhook, sentence)
        logger.info("webhook %s is switched off: nothing has arrived for %s", webhook.pk, counted(days, "day"))


def _claimable() -> Q:
    """Match what is due: pending, or being sent by a worker that has died."""
    return Q(
        state__in=(Delivery.State.PENDING, Delivery.State.SENDING),
        due_at__lte=timezone.now(),
        webhook__active=True,
        webhook__owner__is_active=True,
    )


def _due() -> QuerySet[Delivery]:
    """Return what may be sent now: nothing for webhooks that are being sent something."""
    busy = Delivery.objects.filter(state=Delivery.State.SENDING, due_at__gt=timezone.now())
    return Delivery.objects.filter(_claimable()).exclude(webhook__in=busy.values("webhook"))
