"""`/webhooks`: create, change, test and delete webhooks; list the messages and their results."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.rest import idempotency
from botfactory.rest.access import person, require_confirmed
from botfactory.rest.errors import not_found, register_errors
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Input, Output, Page, Text, examples, one_of
from botfactory.webhooks import delivery, event_types, services
from botfactory.webhooks.models import Delivery, Webhook

router = Router(tags=["webhooks"])
register_errors({services.WebhookError: 422, services.NotPossible: 409})

EventType = Annotated[str, *one_of(event_types.names)]
DeliveryState = Literal["pending", "sending", "delivered", "failed"]

_ID: Final = "2b0c6a1e-93f4-4f0e-8a55-7d1f3c9b2e10"
_MOMENT: Final = "2026-11-25T12:00:00.000Z"
_EXAMPLE: Final = {
    "id": _ID,
    "url": "https://example.com/bots",
    "events": ["job.succeeded", "job.failed"],
    "active": True,
    "trouble": None,
    "failing_since": None,
    "created_at": _MOMENT,
}


class WebhookIn(Input):
    url: Text = Field(
        min_length=1,
        max_length=services.LONGEST_URL,
        description="Where messages are sent, by POST: https or http.",
        json_schema_extra={"pattern": "^https?://"},
    )
    events: list[EventType] = Field(
        default=["job.succeeded", "job.failed", "job.cancelled"], min_length=1, description="The events it receives."
    )

    model_config = examples(
        {"url": "https://example.com/bots", "events": ["job.succeeded", "job.failed"]}, base=Input.model_config
    )


class WebhookChangeIn(Input):
    """Fields that you leave out stay as they are."""

    url: Text | None = Field(None, min_length=1, max_length=services.LONGEST_URL)
    events: list[EventType] | None = Field(None, min_length=1, description="The events it receives.")
    active: bool | None = Field(
        None, strict=True, description="false: nothing is sent, and pending messages are dropped."
    )

    model_config = examples({"active": True}, base=Input.model_config)


class DeliveryFilters(PageQuery):
    state: DeliveryState | None = Field(None, description="Only messages in this state.")


class WebhookOut(Output):
    id: uuid.UUID
    url: str
    events: list[str] = Field(description="The events it receives.")
    active: bool
    trouble: str | None = Field(description="Why it was switched off, if you didn't do it.")
    failing_since: datetime | None = Field(description="When it first failed after the last message that arrived.")
    created_at: datetime

    model_config = examples(_EXAMPLE)


class NewWebhookOut(WebhookOut):
    secret: str = Field(description="The receiver verifies signatures with it. It is shown only once.")

    model_config = examples({**_EXAMPLE, "secret": "whsec_bm90IGEgc2VjcmV0LCBvbmx5IGFuIGV4YW1wbGUhISE="})


class DeliveryOut(Output):
    """A message to a webhook."""

    id: uuid.UUID = Field(description="The header webhook-id. It stays the same for every try.")
    event: str
    subject: uuid.UUID = Field(description="The id of the job or publication; for a test, the id of the webhook.")
    state: DeliveryState
    attempts: int
    status: int | None = Field(description="The status of the last answer.")
    error: str | None = Field(description="What went wrong at the last try.")
    seconds: float | None = Field(description="How long the last try took.")
    created_at: datetime
    tried_at: datetime | None
    due_at: datetime | None = Field(description="When it is tried again.")

    model_config = examples(
        {
            "id": "6d2f0b8e-57a3-4a0c-9c1d-0e8a4b7f3c21",
            "event": "job.succeeded",
            "subject": "0d8c1a40-3f6e-4d39-a3c1-d1d2a0c4b0a1",
            "state": "pending",
            "attempts": 1,
            "status": 503,
            "error": "The answer was 503. A receiver must answer with a status from 200 to 299.",
            "seconds": 0.12,
            "created_at": _MOMENT,
            "tried_at": _MOMENT,
            "due_at": "2026-11-25T12:00:05.000Z",
        }
    )


def told(webhook: Webhook) -> WebhookOut:
    return WebhookOut(**_told(webhook))


def _told(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.pk,
        "url": webhook.url,
        "events": webhook.events,
        "active": webhook.active,
        "trouble": webhook.shown_trouble or None,
        "failing_since": webhook.failing_since,
        "created_at": webhook.created_at,
    }


def told_delivery(row: Delivery) -> DeliveryOut:
    same = ("event", "state", "attempts", "status", "created_at", "tried_at")
    return DeliveryOut(
        **{name: getattr(row, name) for name in same},
        id=row.pk,
        subject=row.subject_id,
        error=row.shown_error or None,
        seconds=None if row.seconds is None else round(row.seconds, 3),
        due_at=row.due_at if row.state == Delivery.State.PENDING else None,
    )


@router.get("", response=Page[WebhookOut], summary="List your webhooks")
def list_webhooks(request: HttpRequest, query: Query[PageQuery]) -> PageDict:
    """Your webhooks, newest first, without their secrets."""
    return page_of(services.webhooks_for_user(person(request)), query, lambda rows: map(told, rows))


@router.post("", response={201: NewWebhookOut}, summary="Make a webhook")
@idempotency.secret
@idempotency.slow
def create_webhook(request: HttpRequest, body: WebhookIn) -> Status[NewWebhookOut]:
    """Messages are sent to the address from now on. Only this answer contains the secret. 409 at the limit."""
    new = services.create(owner=person(request), url=body.url, events=body.events)
    return Status(201, NewWebhookOut(**_told(new.webhook), secret=new.secret))


@router.get("/{uuid:webhook_id}", response=WebhookOut, summary="Get a webhook")
def get_webhook(request: HttpRequest, webhook_id: uuid.UUID) -> WebhookOut:
    """One of your webhooks."""
    with _found(request, webhook_id) as webhook:
        return told(webhook)


@router.patch("/{uuid:webhook_id}", response=WebhookOut, summary="Change a webhook")
def change_webhook(request: HttpRequest, webhook_id: uuid.UUID, body: WebhookChangeIn) -> WebhookOut:
    """Change the address or the events, or switch it off or on. The secret stays the same."""
    with _found(request, webhook_id) as webhook:
        return told(services.change(webhook, url=body.url, events=body.events, active=body.active))


@router.post("/{uuid:webhook_id}/secret", response=NewWebhookOut, summary="Make a new secret for a webhook")
@idempotency.secret
def renew_webhook_secret(request: HttpRequest, webhook_id: uuid.UUID) -> NewWebhookOut:
    """Only this answer contains the new secret. For 24 hours messages are signed with the old one as well."""
    with _found(request, webhook_id) as webhook:
        require_confirmed(request)
        new = services.renew_secret(webhook)
    return NewWebhookOut(**_told(new.webhook), secret=new.secret)


@router.delete("/{uuid:webhook_id}", response={204: None}, summary="Delete a webhook")
def delete_webhook(request: HttpRequest, webhook_id: uuid.UUID) -> Status[None]:
    """Delete the webhook with the log of its messages."""
    with _found(request, webhook_id) as webhook:
        services.delete(webhook)
    return Status(204, None)


@router.post("/{uuid:webhook_id}/test", response=DeliveryOut, summary="Test a webhook")
@idempotency.slow
def test_webhook(request: HttpRequest, webhook_id: uuid.UUID) -> DeliveryOut:
    """Send one message of the type webhook.test now, and return the result."""
    with _found(request, webhook_id) as webhook:
        return told_delivery(delivery.send_test(webhook))


@router.get("/{uuid:webhook_id}/deliveries", response=Page[DeliveryOut], summary="List the messages of a webhook")
def list_deliveries(request: HttpRequest, webhook_id: uuid.UUID, query: Query[DeliveryFilters]) -> PageDict:
    """Its messages of the last 30 days, newest first, optionally of one state."""
    with _found(request, webhook_id) as webhook:
        everything = webhook.deliveries.all()
        rows = everything if query.state is None else everything.filter(state=query.state)
        return page_of(rows, query, lambda found: map(told_delivery, found), among=everything)


@router.post(
    "/{uuid:webhook_id}/deliveries/{uuid:delivery_id}/resend", response=DeliveryOut, summary="Send a message again"
)
def resend_delivery(request: HttpRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> DeliveryOut:
    """Queue a failed message again. Its id and content stay the same, and it gets as many tries as a new one.

    Answers 409 for any other message, and while the webhook is off.
    """
    with _found(request, webhook_id) as webhook:
        try:
            return told_delivery(services.resend(webhook, delivery_id))
        except Delivery.DoesNotExist:
            raise not_found("message") from None


@contextmanager
def _found(request: HttpRequest, webhook_id: uuid.UUID) -> Iterator[Webhook]:
    """Yield the person's webhook. 404 if there is none, or if it is deleted inside the block."""
    try:
        yield services.webhook_for_user(person(request), webhook_id)
    except Webhook.DoesNotExist:
        raise not_found("webhook") from None
