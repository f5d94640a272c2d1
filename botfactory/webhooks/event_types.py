"""What webhooks can be told of: names and sentences, so that who tells and who listens need not know each other."""

from __future__ import annotations

from typing import Final, Literal, get_args

EventType = Literal["job.succeeded", "job.failed", "job.cancelled"]
EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
#: Sent when its owner tries a webhook, whatever that is told of.
TEST: Final = "webhook.test"
