"""The names of the events that webhooks send. Apps that cause events and apps that send them share only these."""

from __future__ import annotations

from typing import Final, Literal, get_args

EventType = Literal["job.succeeded", "job.failed", "job.cancelled"]
EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
#: Sent when the owner presses "Send a test", whichever events the webhook sends.
TEST: Final = "webhook.test"
