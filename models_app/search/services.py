"""Start, stop, resume and delete searches, and use what they have found."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE, State
from botfactory.translatable import Sentence, mark
from botfactory.translation import grouped
from botfactory.words import on_one_line
from models_app import trainings
from models_app.base_models import services as base_services
from models_app.base_models.services import Budget
from models_app.ml.config import NetworkConfig
from models_app.models import Lane, Search, Tier, TrainedModel, Trial
from models_app.search import bases, bots
from models_app.search import space as spaces
from models_app.services import ModelError
from tweets import idle
from tweets.models import Corpus

#: The kinds of job that run trials.
SEARCH: Final = "search"
SEARCH_BASE: Final = "search_base"
MAX_TRIALS, DEFAULT_TRIALS = 500, 20
#: The most trials that run at once.
MAX_AT_ONCE: Final = 8
LONGEST_NAME: Final = 72
#: The states of trials that count as one of those that were wanted, and those with a result to use.
COUNTED: Final = (Trial.State.RUNNING, Trial.State.COMPLETE, Trial.State.PRUNED, Trial.State.FAILED)
ENDED: Final = (Trial.State.COMPLETE, Trial.State.PRUNED, Trial.State.FAILED)


class SearchError(ModelError):
    """A search can't do this. The message says why."""

    code = "search_error"


class SearchNotPossible(ModelError):
    """Nothing is wrong with the request, but the search isn't in the state for it."""

    code = "not_possible"


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

    @property
    def fraction(self) -> float:
        return min(1.0, self.ended / self.wanted)


def searches_for_user(user: Any) -> QuerySet[Search]:
    """Return the searches that `user` may see: their own, and those for base models if they may see these."""
    if not (user.is_authenticated and user.is_active):
        return Search.objects.none()
    own = Q(owner=user)
    if base_services.may_see(user):
        own |= Q(owner=None)
    return Search.objects.filter(own).select_related("corpus", "start", "owner")


def search_for_user(user: Any, search_id: uuid.UUID) -> Search:
    """Return the search; Search.DoesNotExist if `user` may not see it or it doesn't exist."""
    return searches_for_user(user).get(pk=search_id)


def may_change(user: Any, search: Search) -> bool:
    """Return whether `user`, who may see the search, may change it: those for base models need more."""
    return search.owner_id is not None or base_services.may_add(user)


def require_may_change(user: User, search: Search) -> None:
    """Raise SearchError for an administrator who may see a search for base models, but not train any."""
    if not may_change(user, search):
        raise SearchError(_("Only an administrator can train base models."))


def start_for_bot(
    *,
    owner: User,
    corpus: Corpus,
    start: TrainedModel,
    name: str = "",
    space: Mapping[str, Any] | None = None,
    trials: int = DEFAULT_TRIALS,
    sampler: str = Search.Sampler.TPE,
    pruner: str = Search.Pruner.MEDIAN,
    at_once: int = 1,
    minutes: int | None = None,
    seed: int | None = None,
    run_here: bool = False,
) -> Search:
    """Begin a search for the best settings of a bot that starts from `start` and learns `corpus`.

    Without a space, it's the usual one of the tier. `minutes` is how long each trial of a fluent bot learns. With
    `run_here`, this process has claimed the first job. Raises BadSpace, SearchError, CorpusError and LimitReached.
    """
    _require_options(trials, sampler, pruner, at_once, seed)
    tier = Tier(start.tier)
    with transaction.atomic():
        corpus = idle.lock_ready(corpus)
        trainings.require_possible(corpus, start)
        told = bots.common(corpus, start, minutes)
        chosen = bots.checked(spaces.shipped(bots.USUAL[tier]) if space is None else space, corpus, start, told)
        search = Search.objects.create(
            owner=owner,
            name=_named(name, corpus.name),
            kind=Search.Kind.BOT,
            corpus=corpus,
            start=start,
            start_name=start.full_name,
            settings=told,
            space=spaces.as_json(chosen),
            sampler=sampler,
            pruner=pruner,
            wanted=trials,
            at_once=at_once,
            seed=secrets.randbelow(2**31) if seed is None else seed,
        )
        _run(search, by=owner, run_here=run_here)
    return search


def start_for_base(
    *,
    by: User,
    name: str,
    space: Mapping[str, Any],
    budget: Budget,
    files: Sequence[str] = (),
    validation: str = "",
    corpus: Corpus | None = None,
    start: TrainedModel | None = None,
    network: str = "glr",
    trials: int = DEFAULT_TRIALS,
    sampler: str = Search.Sampler.TPE,
    pruner: str = Search.Pruner.MEDIAN,
    at_once: int = 1,
    seed: int | None = None,
    run_here: bool = False,
) -> Search:
    """Begin a search for the best settings of a base model. Each trial has the same `budget`.

    The posts and the start are those of `base_models.services.train`. Raises BadSpace, SearchError, BaseError.
    """
    _require_options(trials, sampler, pruner, at_once, seed)
    base_services.require_possible(by=by, budget=budget, files=files, validation=validation, corpus=corpus)
    told = bases.common(network, start, budget, files, validation, corpus is not None)
    chosen = bases.checked(space, told)
    with transaction.atomic():
        search = Search.objects.create(
            owner=None,
            name=_named(name, "base"),
            kind=Search.Kind.BASE,
            corpus=corpus,
            start=start,
            start_name=start.full_name if start else "",
            settings=told,
            space=spaces.as_json(chosen),
            sampler=sampler,
            pruner=pruner,
            wanted=trials,
            at_once=at_once,
            seed=secrets.randbelow(2**31) if seed is None else seed,
        )
        _run(search, by=by, run_here=run_here)
    return search


def stop(search: Search) -> int:
    """Cancel the jobs of the search; return how many. A trial that runs continues when the search is resumed."""
    return jobs.cancel_all(Job.objects.filter(lane__search=search))


def resume(search: Search, *, by: User, run_here: bool = False) -> Search:
    """Queue jobs for the trials that are left. SearchNotPossible if there are none, or while the search runs."""
    with transaction.atomic():
        search = locked(search)
        if active_jobs(search).exists():
            raise SearchNotPossible(_("This search is running."))
        if not trials_left(search):
            raise SearchNotPossible(_("All trials of this search have ended. Add more trials."))
        _run(search, by=by, run_here=run_here)
    return search


def add_trials(search: Search, count: int, *, by: User, run_here: bool = False) -> Search:
    """Want this many trials more, and queue jobs for them. SearchNotPossible if it would have too many."""
    if not 1 <= count <= MAX_TRIALS:
        raise SearchError(_trials_sentence(count))
    with transaction.atomic():
        search = locked(search)
        if search.wanted + count > MAX_TRIALS:
            message = _("A search can have at most %(most)s trials, and this one has %(wanted)s.")
            raise SearchNotPossible(message % {"most": MAX_TRIALS, "wanted": search.wanted})
        search.wanted += count
        search.save(update_fields=["wanted"])
        _run(search, by=by, run_here=run_here)
    return search


def use(search: Search, number: int | None, *, by: User, name: str = "", budget: Budget | None = None) -> Job:
    """Queue the training of a bot, or of a base model, with the settings of a trial (None: of the best).

    It's a training like any other, with the seed of the search: it learns what the trial has learned. A base model
    can get another `budget`. Raises SearchNotPossible for a trial that isn't complete, and what the training raises.
    """
    trial = best_of(search) if number is None else search.trials.filter(number=number).first()
    if trial is None or trial.state != Trial.State.COMPLETE:
        if number is None:
            raise SearchNotPossible(_("No trial of this search is complete yet."))
        raise SearchNotPossible(_("Trial %(number)s isn’t complete. Choose one that is.") % {"number": number})
    if search.start_name and search.start is None:
        raise SearchNotPossible(_("The model that the trials started from was deleted."))
    if search.kind == Search.Kind.BASE:
        network, values = bases.split(search.settings, trial.parameters)
        return base_services.train(
            by=by,
            name=name or search.name,
            budget=budget or Budget(**search.settings["budget"]),
            files=search.settings["files"],
            validation=search.settings["validation"],
            corpus=search.corpus,
            start=search.start,
            network=network if isinstance(network, NetworkConfig) else "glr",
            values=values | {"seed": search.seed},
        )
    assert search.corpus is not None and search.start is not None
    return trainings.fine_tune(
        owner=by,
        corpus=search.corpus,
        start=search.start,
        name=name,
        seed=search.seed,
        exactly=bots.config_of(search.settings, trial.parameters, seed=search.seed),
    )


def delete(search: Search) -> None:
    """Delete the search with its trials and jobs. Bots that were made of it stay."""
    with transaction.atomic():
        jobs.delete_jobs(Job.objects.filter(lane__search=search))
        search.delete()


def locked(search: Search) -> Search:
    """Lock the search until the transaction ends, and return it as it is now."""
    list(Search.objects.select_for_update(no_key=True).filter(pk=search.pk).values_list("pk"))
    return Search.objects.select_related("corpus", "start", "owner").get(pk=search.pk)


def active_jobs(search: Search) -> QuerySet[Job]:
    return jobs.active_jobs(Job.objects.filter(lane__search=search))


def trials_left(search: Search) -> int:
    """Return how many trials have yet to begin or to begin again."""
    return max(0, search.wanted - search.trials.filter(state__in=COUNTED).count())


def best_of(search: Search) -> Trial | None:
    """Return the complete trial with the lowest bits per character, and of equal ones the first."""
    complete = search.trials.filter(state=Trial.State.COMPLETE)
    return complete.order_by("bits_per_character", "number").first()


def outlook_of(search: Search) -> Outlook:
    """Return where the search is. Needs two queries, or none with trials and lanes prefetched (`with_trials`)."""
    trials = list(search.trials.all())
    states = [State(lane.job.state) for lane in search.lanes.all()]
    working = sum(state in ACTIVE for state in states)
    ended = [trial for trial in trials if trial.state in ENDED]
    state: Literal["running", "stopped", "done"]
    state = "running" if working else "done" if len(ended) >= search.wanted else "stopped"
    complete = [trial for trial in ended if trial.state == Trial.State.COMPLETE]
    best = min(complete, key=lambda trial: (trial.bits_per_character, trial.number), default=None)
    return Outlook(state, len(ended), search.wanted, best, _seconds_left(search, ended, working))


def with_trials(searches: QuerySet[Search]) -> QuerySet[Search]:
    """Load what `outlook_of` needs with the searches."""
    return searches.prefetch_related("trials", Prefetch("lanes", Lane.objects.select_related("job")))


def _seconds_left(search: Search, ended: Sequence[Trial], working: int) -> float | None:
    took = [(trial.finished_at - trial.started_at).total_seconds() for trial in ended if trial.finished_at]
    if not working or not took:
        return None
    return median(took) * max(0, search.wanted - len(ended)) / min(working, max(1, search.at_once))


def needs(job: Job) -> dict[str, int]:
    """Return how many minutes of its owner's limit a job of a search for a bot reserves: those of its trials."""
    search = Search.objects.select_related("corpus").filter(pk=job.arguments["search"]).first()
    if search is None or search.corpus is None:
        return {}
    seconds = trials_left(search) * bots.seconds_of_a_trial(search) / search.at_once
    return {trainings.TRAINING_MINUTES: max(1, round(seconds / 60))}


def may_start(job: Job) -> None:
    """Raise NotPossible unless a job of a search can be tried again. JobKind calls this before a retry."""
    search = Search.objects.select_related("corpus").filter(pk=job.arguments["search"]).first()
    if search is None:
        raise NotPossible(_("This search was deleted."))
    if not trials_left(search):
        raise NotPossible(_("All trials of this search have ended. Add more trials."))
    if search.kind == Search.Kind.BOT:
        trainings.may_start(job)


def _run(search: Search, *, by: User, run_here: bool) -> None:
    """Queue as many jobs as can work at once, unless they're there. Those that were stopped continue."""
    lanes = [lane.job for lane in search.lanes.select_related("job").order_by("job__created_at")]
    missing = min(search.at_once, trials_left(search)) - sum(job.state in ACTIVE for job in lanes)
    for job in lanes:
        if missing > 0 and not run_here and job.state in (State.CANCELLED, State.FAILED) and job.owner_id == by.pk:
            jobs.retry(job)
            missing -= 1
    for _lane in range(1 if run_here else missing):
        job = jobs.submit(
            owner=by,
            kind=SEARCH if search.kind == Search.Kind.BOT else SEARCH_BASE,
            title=_title(search),
            arguments={"search": str(search.pk), "corpus": str(search.corpus_id or "")},
            subject_id=search.corpus_id,
            run_here=run_here,
        )
        Lane.objects.create(search=search, job=job)


def _title(search: Search) -> Sentence:
    if search.kind == Search.Kind.BASE:
        return Sentence(mark("Find the best base model: %(name)s"), name=search.name)
    return Sentence(mark("Find the best settings for %(name)s"), name=search.name)


def _named(name: str, usual: str) -> str:
    return on_one_line(name)[:LONGEST_NAME] or on_one_line(usual)[:LONGEST_NAME]


def _require_options(trials: int, sampler: str, pruner: str, at_once: int, seed: int | None) -> None:
    if not 1 <= trials <= MAX_TRIALS:
        raise SearchError(_trials_sentence(trials))
    if not 1 <= at_once <= MAX_AT_ONCE:
        message = _("Let 1 to %(most)s trials run at once, not %(count)s.")
        raise SearchError(message % {"most": MAX_AT_ONCE, "count": at_once})
    if sampler not in Search.Sampler.values:
        message = _("There is no sampler %(name)s. Choose one of: %(names)s.")
        raise SearchError(message % {"name": sampler, "names": ", ".join(Search.Sampler.values)})
    if pruner not in Search.Pruner.values:
        message = _("There is no pruner %(name)s. Choose one of: %(names)s.")
        raise SearchError(message % {"name": pruner, "names": ", ".join(Search.Pruner.values)})
    if seed is not None and not 0 <= seed < 2**31:
        raise SearchError(_("Choose a seed from 0 to %(most)s.") % {"most": grouped(2**31 - 1)})


def _trials_sentence(count: int) -> str:
    return _("Choose 1 to %(most)s trials, not %(count)s.") % {"most": MAX_TRIALS, "count": grouped(count)}
