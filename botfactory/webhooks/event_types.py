"""The kinds of events that webhooks send. Apps register theirs in `AppConfig.ready`; this room knows none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    Words = str | StrPromise

#: Sent when the owner presses "Send a test", whichever events the webhook sends.
TEST: Final = "webhook.test"
_kinds: dict[str, Words] = {}


def register(kinds: Mapping[str, Words]) -> None:
    """Register kinds of events, each with its words as the end of "Sends a message when"."""
    _kinds.update(kinds)


def names() -> tuple[str, ...]:
    """Return the names of all kinds, in the order in which they were registered."""
    return tuple(_kinds)


def in_words() -> Mapping[str, Words]:
    """Return the words of each kind."""
    return dict(_kinds)
