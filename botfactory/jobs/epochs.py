"""The epochs of a training that stand, out of its events: an attempt may begin before where the last one ended."""

from __future__ import annotations

from collections.abc import Iterable

from botfactory.jobs.models import JobEvent

EPOCH = "epoch"
#: An attempt goes on after so many epochs (`epochs`), and not after all that were recorded: the rest is lost.
RESUMED = "resumed"


def standing(events: Iterable[JobEvent]) -> list[JobEvent]:
    """Return the epoch events that stand, in their order, given a job's events in theirs."""
    found: list[JobEvent] = []
    for event in events:
        if event.kind == RESUMED:
            found = [epoch for epoch in found if epoch.payload["epoch"] <= event.payload["epochs"]]
        elif event.kind == EPOCH:
            found = [*(epoch for epoch in found if epoch.payload["epoch"] < event.payload["epoch"]), event]
    return found
