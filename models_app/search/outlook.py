"""Where a search is: how many of its trials have ended, which is the best, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from django.db.models import Prefetch, QuerySet

from botfactory.jobs.states import ACTIVE, State
from models_app.search.rows import Lane, Search, Trial

_ENDED: Final = (Trial.State.COMPLETE, Trial.State.PRUNED, Trial.State.FAILED)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a search is. seconds_left: until all trials that are wanted have ended; None if nobody can tell."""

    state: Literal["running", "stopped", "done"]
    ended: int
    wanted: int
    best: Trial | None
    seconds_left: float | None

    @property
    def is_running(self) -> bool:
        return self.state == "running"


def with_trials(searches: QuerySet[Search]) -> QuerySet[Search]:
    """Load what `outlook_of` needs with the searches."""
    return searches.prefetch_related("trials", Prefetch("lanes", Lane.objects.select_related("job")))


def outlook_of(search: Search) -> Outlook:
    """Return where the search is. Needs no query if the search was loaded `with_trials`."""
    trials = list(search.trials.all())
    states = [State(lane.job.state) for lane in search.lanes.all()]
    working = sum(state in ACTIVE for state in states)
    ended = [trial for trial in trials if trial.state in _ENDED]
    state: Literal["running", "stopped", "done"]
    state = "running" if working else "done" if len(ended) >= search.wanted else "stopped"
    return Outlook(state, len(ended), search.wanted, best_of(ended), _seconds_left(search, ended, working))


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """Return the complete trial with the lowest bits per character, and of equal ones the first."""
    complete = [trial for trial in trials if trial.state == Trial.State.COMPLETE]
    return min(complete, key=lambda trial: (trial.bits_per_character, trial.number), default=None)


def _seconds_left(search: Search, ended: Sequence[Trial], working: int) -> float | None:
    took = [(trial.finished_at - trial.started_at).total_seconds() for trial in ended if trial.finished_at]
    if not working or not took:
        return None
    return median(took) * max(0, search.wanted - len(ended)) / min(working, max(1, search.at_once))
