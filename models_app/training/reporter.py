"""What a training shows while it runs: its progress and losses, its epochs, and sample posts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from botfactory.jobs.handle import JobHandle
from models_app.bots import epochs
from models_app.ml.training.events import EpochResult, Progress

#: About how many points of an epoch's running loss are reported.
TRAIL_STEPS = 25


class TrainingReporter:
    """Writes what a training reports to its job, as its progress and its events."""

    def __init__(self, handle: JobHandle, unit: Literal["epoch", "part"]) -> None:
        self._handle, self._unit, self._trail = handle, unit, Trail()
        self._shown = {event.payload["epoch"] for event in epochs.valid(handle.job.events.order_by("sequence"))}

    def start(self, kept: Sequence[EpochResult]) -> None:
        """Show the epochs that an earlier attempt finished, as far as they aren't shown yet."""
        # An epoch is saved before it's shown. Show the one that a killed worker saved but didn't show.
        lost = {epoch for epoch in self._shown if epoch > len(kept)}
        if lost:
            # The saved state is gone, or it belonged to other posts.
            self._handle.record(epochs.RESUMED, {"epochs": len(kept)})
            self._shown -= lost
        for epoch in kept:
            self.epoch(epoch)

    def before(self, samples: Sequence[str]) -> None:
        """Show posts from before the training."""
        self._handle.record(epochs.BEFORE, {"samples": list(samples)})

    def openings(self, continued: dict[str, str]) -> None:
        """Show what the starting model makes of the openings that each epoch continues."""
        self._handle.record(epochs.OPENINGS, {"continued": continued})

    def saved(self) -> None:
        """Note that the state within an epoch is saved."""
        self._handle.saved()

    def progress(self, progress: Progress) -> None:
        """Show how far the training is."""
        self._trail.add(progress)
        self._handle.progress(
            {
                "phase": "training",
                "unit": self._unit,
                "epoch": progress.epoch,
                "epochs": progress.epochs,
                "step": progress.step,
                "steps": progress.steps,
                "loss": round(progress.loss, 4),
                "trail": self._trail.of(progress.epoch),
                "fraction": round(progress.fraction, 4),
                "characters_per_second": round(progress.characters_per_second),
                "seconds_left": round(progress.seconds_left, 1),
            }
        )

    def epoch(self, epoch: EpochResult) -> None:
        """Show a finished epoch, once."""
        if epoch.epoch not in self._shown:
            self._shown.add(epoch.epoch)
            self._handle.record(epochs.EPOCH, {**epoch_json(epoch), "trail": self._trail.of(epoch.epoch)})


class Trail:
    """The smoothed loss at points of the current epoch, for pages that are opened later.

    It begins where the last epoch ended, so that the lines of two epochs meet.
    """

    def __init__(self) -> None:
        self._epoch = self._step = 0
        self._places: list[list[float]] = []

    def add(self, progress: Progress) -> None:
        """Add a point for this progress, unless it's too close to the last one."""
        if progress.epoch != self._epoch:
            self._epoch, self._step, self._places = progress.epoch, 0, self._places[-1:]
        if not self._places or (progress.step - self._step) * TRAIL_STEPS >= progress.steps:
            self._step = progress.step
            at = progress.epoch - 1 + progress.step / progress.steps
            self._places.append([round(at, 3), round(progress.loss, 4)])

    def of(self, epoch: int) -> list[list[float]]:
        """Return this epoch's points as [epochs trained, loss]; earlier attempts don't count."""
        return list(self._places) if epoch == self._epoch else []


def epoch_json(epoch: EpochResult) -> dict[str, Any]:
    return {
        "epoch": epoch.epoch,
        "train_loss": round(epoch.train_loss, 5),
        "validation_loss": round(epoch.validation_loss, 5),
        "bits_per_character": round(epoch.bits_per_character, 5),
        "learning_rate": epoch.learning_rate,
        "seconds": round(epoch.seconds, 2),
        "best": epoch.best,
        "samples": list(epoch.samples),
        "continued": epoch.continued,
    }
