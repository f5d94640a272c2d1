"""The states of a job and the steps between them. Pure: no database, no Django."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from botfactory.words.translatable import mark


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: What people read.
WORDS: Final[dict[State, str]] = {
    State.QUEUED: mark("Waiting"),
    State.RUNNING: mark("Running"),
    State.CANCELLING: mark("Stopping"),
    State.INTERRUPTED: mark("Starting again"),
    State.SUCCEEDED: mark("Done"),
    State.FAILED: mark("Failed"),
    State.CANCELLED: mark("Cancelled"),
}

#: A worker may take a job in one of these.
CLAIMABLE = frozenset({State.QUEUED, State.INTERRUPTED})
#: A worker holds a job in one of these.
HELD = frozenset({State.RUNNING, State.CANCELLING})
ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
ACTIVE = CLAIMABLE | HELD

STEPS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    State.INTERRUPTED: frozenset({State.RUNNING, State.CANCELLED, State.FAILED}),
    # Back to queued: the outside world asked to come back later (a rate limit).
    State.RUNNING: frozenset(
        {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.CANCELLING, State.INTERRUPTED, State.QUEUED}
    ),
    # A cancel never ends as failed. It may still end as succeeded: the work was done before the flag was read.
    State.CANCELLING: frozenset({State.CANCELLED, State.SUCCEEDED}),
    # A retry.
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.SUCCEEDED: frozenset(),
}


def sources_of(target: State) -> frozenset[State]:
    """Return the states from which a job may go to `target`."""
    return frozenset(state for state, targets in STEPS.items() if target in targets)
