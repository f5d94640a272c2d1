"""What Optuna decides: the parameters of the next trial, whether one ends early, and which settings matter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from models_app.search.rows import Search, Trial
from models_app.search.storage import RowStorage, distributions_of

#: So many trials are drawn at random before TPE learns from them, and none of the first ends early by the median.
STARTUP: Final = 8
STARTUP_PRUNING: Final = 4
#: With fewer complete trials, nobody can tell which settings matter.
MIN_FOR_IMPORTANCE: Final = 6

optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_of(search: Search) -> optuna.Study:
    """Return the search as a study of Optuna."""
    with _as_it_is():
        return optuna.Study(str(search.pk), RowStorage(search), sampler=_sampler(search), pruner=_pruner(search))


def ask(search: Search) -> Trial:
    """Add a trial and return it, with parameters. Call it in a transaction, so that no trial is without."""
    found = study_of(search).ask(distributions_of(search))
    return Trial.objects.get(pk=found._trial_id)


def should_prune(search: Search, trial: Trial) -> bool:
    """Return whether the trial should end after the steps that it has reported."""
    study = study_of(search)
    return bool(study.pruner.prune(study, study._storage.get_trial(trial.pk)))


def importance_of(search: Search) -> dict[str, float]:
    """Return how much each setting matters, 1 in total and most first; {} if too few trials are complete.

    By PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255), which needs no trees of another library.
    """
    if search.trials.filter(state=Trial.State.COMPLETE).count() < MIN_FOR_IMPORTANCE:
        return {}
    with _as_it_is():
        found = get_param_importances(study_of(search), evaluator=PedAnovaImportanceEvaluator())
    return {name: round(float(value), 4) for name, value in found.items()}


@contextmanager
def _as_it_is() -> Iterator[None]:
    """Use what Optuna calls experimental, without its warnings: it has been there for years."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _sampler(search: Search) -> BaseSampler:
    # Each trial draws other numbers, and the same ones if a search is repeated.
    seed = (search.seed + 7919 * search.trials.count()) % 2**32
    if search.sampler == Search.Sampler.RANDOM:
        return RandomSampler(seed=seed)
    # Trials that run at once avoid each other's surroundings.
    return TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=search.at_once > 1)


def _pruner(search: Search) -> BasePruner:
    if search.pruner == Search.Pruner.NONE:
        return NopPruner()
    if search.pruner == Search.Pruner.HYPERBAND:
        return HyperbandPruner(min_resource=1, max_resource=max(1, search.steps), reduction_factor=3)
    return MedianPruner(n_startup_trials=STARTUP_PRUNING)
