"""The epochs of a training, read from its events, and how the API describes trainings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from botfactory.jobs.kinds import Best, Description
from botfactory.jobs.models import Job, JobEvent
from botfactory.rest.schemas import Output, examples

EPOCH = "epoch"
#: An attempt continues after `epochs` epochs. Later ones that were recorded are lost.
RESUMED = "resumed"
#: Sample posts of a fluent training before it has learned anything.
BEFORE = "before"
#: What the starting model writes after the openings that each epoch continues.
OPENINGS = "openings"

#: Describes any loss. Bits are given per character, so that the tiers compare.
LOSS: Final = "In nats per byte or token, including the ends of posts. Lower is better."


def unit_of(chosen: Mapping[str, Any]) -> Literal["epoch", "part"]:
    """Return what the epochs of a training with these settings are: readings of the posts, or parts of the training."""
    return "part" if chosen.get("kind") == "adapter" else "epoch"


class TrainingProgress(Output):
    """The epochs and steps of a training."""

    unit: Literal["epoch", "part"] | None = Field(
        None, description="What is counted: a quick training's epochs, or the parts of a fluent one."
    )
    epoch: int | None = Field(None, description="The number of the epoch or part, from 1.")
    epochs: int | None = Field(None, description="How many epochs or parts there are.")
    step: int | None = None
    steps: int | None = None
    loss: float | None = Field(None, description=f"The loss of this epoch so far. {LOSS}")
    model: str | None = Field(
        None, description="In the phase `reporting`: the id of the bot, which can write while its report card is made."
    )


class Checkpoint(Output):
    """A finished epoch, or a finished part of a fluent training."""

    epoch: int = Field(description="The number of the epoch or part, from 1.")
    train_loss: float = Field(description=f"The training loss. {LOSS}")
    val_loss: float = Field(description=f"The loss on held-out posts. {LOSS}")
    bits_per_character: float = Field(description="On held-out posts; lower is better.")
    learning_rate: float
    seconds: float
    best: bool = Field(description="Whether it was the best epoch so far.")
    samples: list[str] = Field(description="Sample posts that the network wrote after this epoch.")
    continued: dict[str, str] = Field(
        default_factory=dict,
        description="What it wrote after up to three openings, the same each time. By opening; cut to 120 characters.",
    )
    finished_at: datetime

    model_config = examples(
        {
            "epoch": 1,
            "train_loss": 1.51,
            "val_loss": 1.47,
            "bits_per_character": 2.12,
            "learning_rate": 0.001,
            "seconds": 31.5,
            "best": True,
            "samples": ["just had the best coffee of my life"],
            "continued": {"today i": "today i learned that pigeons hold grudges"},
            "finished_at": "2026-11-25T12:01:00.000Z",
        }
    )


class BestCheckpoint(Output):
    epoch: int
    train_loss: float = Field(description=f"The training loss. {LOSS}")
    val_loss: float = Field(description=f"The loss on held-out posts. {LOSS}")


def valid(events: Iterable[JobEvent]) -> list[JobEvent]:
    """Return the epoch events that count, in order. Later attempts replace epochs of earlier ones."""
    found: list[JobEvent] = []
    for event in events:
        if event.kind == RESUMED:
            found = [epoch for epoch in found if epoch.payload["epoch"] <= event.payload["epochs"]]
        elif event.kind == EPOCH:
            found = [*(epoch for epoch in found if epoch.payload["epoch"] < event.payload["epoch"]), event]
    return found


def openings_before(job: Job) -> dict[str, str]:
    """Return what the starting model of the training wrote after its openings, by opening; {} if that is unknown."""
    event = job.events.filter(kind=OPENINGS).last()
    return {} if event is None else dict(event.payload["continued"])


def forget_posts(job: Job | None) -> None:
    """Remove the sample posts from the events of a training, and keep its figures."""
    if job is None:
        return
    nothing: dict[str, Any] = {"samples": [], "continued": {}}
    shown = job.events.filter(kind__in=(EPOCH, BEFORE, OPENINGS))
    for event in shown:
        event.payload |= {name: empty for name, empty in nothing.items() if name in event.payload}
    JobEvent.objects.bulk_update(shown, ["payload"])


def checkpoint(event: JobEvent) -> Checkpoint:
    payload = dict(event.payload)
    return Checkpoint(**payload, val_loss=payload["validation_loss"], finished_at=event.created_at)


def best(events: Iterable[JobEvent]) -> BestCheckpoint | None:
    """Return the best of the epochs that count, or None."""
    found = [event.payload for event in valid(events) if event.payload.get("best")]
    if not found:
        return None
    newest = found[-1]
    return BestCheckpoint(epoch=newest["epoch"], train_loss=newest["train_loss"], val_loss=newest["validation_loss"])


#: How the API describes a fine-tune.
FINE_TUNE: Final = Description(
    progress=TrainingProgress,
    best=Best(schema=BestCheckpoint, events=frozenset({EPOCH, RESUMED}), of=best),
    example={
        "kind": "fine_tune",
        "title": "Train dril",
        "state": "running",
        "corpus": "4a7a5f0e-52b0-4a0f-8a71-3f6a5bd7a9d0",
        "details": {"epochs": 3, "seed": 1},
        "started_at": "2026-11-25T12:00:02.000Z",
        "estimated_finish": "2026-11-25T12:02:00.000Z",
        "queue_position": None,
        "people_ahead": None,
        "waits_for": None,
        "progress": {
            "phase": "training",
            "percent": 41.5,
            "unit": "epoch",
            "epoch": 2,
            "epochs": 3,
            "step": 120,
            "steps": 310,
            "loss": 1.4,
        },
        "best_checkpoint": {"epoch": 1, "train_loss": 1.51, "val_loss": 1.47},
        "attempt": 1,
        "last_sequence": 4,
    },
)
#: How the API describes a base training, which has no epochs.
TRAIN_BASE: Final = Description(progress=TrainingProgress)
