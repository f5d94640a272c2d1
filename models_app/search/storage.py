"""Optuna's storage of one search: the rows of its trials.

Optuna has a storage of its own, on SQLAlchemy with migrations by Alembic. With this one, a search needs no second
connection to the database, and what a trial has reached is written in the same transaction as the rest of its job.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from models_app.search import space as spaces
from models_app.search.rows import Search, Trial

#: The only study of a storage.
STUDY: Final = 0
STATES: Final = {
    Trial.State.WAITING: TrialState.WAITING,
    Trial.State.RUNNING: TrialState.RUNNING,
    Trial.State.COMPLETE: TrialState.COMPLETE,
    Trial.State.PRUNED: TrialState.PRUNED,
    Trial.State.FAILED: TrialState.FAIL,
}
_ROW_STATES: Final = {found: state for state, found in STATES.items()}


def distributions_of(search: Search) -> dict[str, BaseDistribution]:
    """Return the space of the search as Optuna knows it."""
    return {name: _distribution(parameter) for name, parameter in spaces.stored(search.space).items()}


def _distribution(parameter: spaces.Parameter) -> BaseDistribution:
    if isinstance(parameter, spaces.Choices):
        return CategoricalDistribution(list(parameter.values))
    if parameter.is_whole:
        step = 1 if parameter.step is None else int(parameter.step)
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.is_log, step=step)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.is_log, step=parameter.step)


class Unsupported(OptunaError):
    """Optuna asks for something that a search has no rows for."""


class RowStorage(BaseStorage):
    """The trials of `search`. Its study is named by the search's id, and minimizes bits per character."""

    def __init__(self, search: Search) -> None:
        self._search, self._distributions = search, distributions_of(search)

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        raise Unsupported("A search has one study.")

    def delete_study(self, study_id: int) -> None:
        raise Unsupported("Delete the search.")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        raise Unsupported("A search has no attributes.")

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        raise Unsupported("A search has no attributes.")

    def get_study_id_from_name(self, study_name: str) -> int:
        return STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        return str(self._search.pk)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return [StudyDirection.MINIMIZE]

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return {}

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return {}

    def get_all_studies(self) -> list[Any]:
        raise Unsupported("Only Optuna's own lists of studies ask for them.")

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a running trial with the next number, and return its id."""
        if template_trial is not None:
            raise Unsupported("A trial begins without parameters.")
        with transaction.atomic():
            # Another worker that adds one waits here.
            list(Search.objects.select_for_update(no_key=True).filter(pk=self._search.pk).values_list("pk"))
            number = Trial.objects.filter(search=self._search).count()
            row = Trial.objects.create(search=self._search, number=number)
        return int(row.pk)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        with transaction.atomic():
            row = self._unfinished(trial_id)
            row.parameters[param_name] = distribution.to_external_repr(param_value_internal)
            row.save(update_fields=["parameters"])

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        with transaction.atomic():
            row = self._unfinished(trial_id)
            if state == TrialState.RUNNING and row.state == Trial.State.RUNNING:
                return False
            row.state = _ROW_STATES[state]
            row.bits_per_character = values[0] if values else row.bits_per_character
            row.finished_at = timezone.now() if state.is_finished() else None
            row.save(update_fields=["state", "bits_per_character", "finished_at"])
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        with transaction.atomic():
            row = self._unfinished(trial_id)
            row.points[str(step)] = intermediate_value
            row.save(update_fields=["points"])

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        raise Unsupported("What else is known of a trial has columns.")

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        with transaction.atomic():
            row = self._unfinished(trial_id)
            row.attributes[key] = value
            row.save(update_fields=["attributes"])

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._frozen(self._row(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        rows = Trial.objects.filter(search=self._search).order_by("number")
        return [self._frozen(row) for row in rows if states is None or STATES[Trial.State(row.state)] in states]

    def _row(self, trial_id: int, *, to_change: bool = False) -> Trial:
        rows = Trial.objects.select_for_update(no_key=True) if to_change else Trial.objects.all()
        row = rows.filter(search=self._search, pk=trial_id).first()
        if row is None:
            raise KeyError(f"{self._search} has no trial {trial_id}")
        return row

    def _unfinished(self, trial_id: int) -> Trial:
        row = self._row(trial_id, to_change=True)
        if STATES[Trial.State(row.state)].is_finished():
            raise UpdateFinishedTrialError(f"trial {row.number} has ended")
        return row

    def _frozen(self, row: Trial) -> FrozenTrial:
        state = STATES[Trial.State(row.state)]
        return FrozenTrial(
            number=row.number,
            state=state,
            value=row.bits_per_character if state.is_finished() else None,
            datetime_start=row.started_at,
            datetime_complete=row.finished_at,
            params=dict(row.parameters),
            distributions={name: self._distributions[name] for name in row.parameters},
            user_attrs={},
            system_attrs=dict(row.attributes),
            intermediate_values={int(step): value for step, value in row.points.items()},
            trial_id=row.pk,
        )
