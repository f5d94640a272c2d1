"""Start, stop, resume and delete searches, and use what they have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from botfactory.accounts import limits, locking
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE, State
from botfactory.rest import idempotency
from botfactory.words.plurals import on_one_line
from botfactory.words.translatable import Sentence, mark
from models_app.bases import services as base_services
from models_app.bases.services import Budget
from models_app.bots.errors import ModelError
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import NetworkConfig
from models_app.search import bases, bots
from models_app.search import space as spaces
from models_app.search.how import MAX_TRIALS, How, SearchError, require_trials
from models_app.search.outlook import best_of
from models_app.search.rows import Lane, Search, Trial
from models_app.sharing.rights import may_go_on_from
from models_app.training import planning, tier_recipes
from models_app.training.tier_recipes import TierRecipe
from tweets.corpora import idle
from tweets.models import Corpus

#: The kinds of job that run trials.
SEARCH: Final = "search"
SEARCH_BASE: Final = "search_base"
LONGEST_NAME: Final = 72
USUALLY: Final = How()
#: The states of trials that count as one of those that were wanted.
COUNTED: Final = (Trial.State.RUNNING, Trial.State.COMPLETE, Trial.State.PRUNED, Trial.State.FAILED)


class SearchNotPossible(ModelError):
    """Nothing is wrong with the request, but the search isn't in the state for it."""

    code = "not_possible"


def searches_for_user(user: Any) -> QuerySet[Search]:
    """Return the searches that `user` may see: their own, and those for base models if they may see these."""
    if not (user.is_authenticated and user.is_active):
        return Search.objects.none()
    own = Q(owner=user)
    if base_services.may_see(user):
        own |= Q(owner=None)
    return Search.objects.filter(own).select_related("corpus", "start", "owner")


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
    minutes: int | None = None,
    how: How = USUALLY,
    run_here: bool = False,
) -> Search:
    """Begin a search for the best settings of a bot that starts from `start` and learns `corpus`.

    Without a space, it's the usual one of the tier. `minutes` is how long each trial of a fluent bot learns. With
    `run_here`, this process has claimed the first job. Raises BadSpace, SearchError, CorpusError and LimitReached.
    """
    tier = Tier(start.tier)
    with transaction.atomic():
        corpus = idle.lock_ready(corpus)
        planning.require_possible(corpus, start)
        told = bots.common(corpus, start, minutes)
        chosen = bots.checked(spaces.shipped(bots.USUAL[tier]) if space is None else space, corpus, start, told)
        name = _named(name, corpus.name)
        search = Search(owner=owner, kind=Search.Kind.BOT, name=name, corpus=corpus, start=start, settings=told)
        return _begun(search, chosen, how, by=owner, run_here=run_here)


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
    how: How = USUALLY,
    run_here: bool = False,
) -> Search:
    """Begin a search for the best settings of a base model. Each trial has the same `budget`.

    The posts and the start are those of `base_models.services.train`. Raises BadSpace, SearchError, BaseError.
    """
    base_services.require_possible(by=by, budget=budget, files=files, validation=validation, corpus=corpus)
    told = bases.common(network, start, budget, files, validation, corpus is not None)
    chosen = bases.checked(space, told)
    with transaction.atomic():
        name = _named(name, "base")
        search = Search(owner=None, kind=Search.Kind.BASE, name=name, corpus=corpus, start=start, settings=told)
        return _begun(search, chosen, how, by=by, run_here=run_here)


def _begun(search: Search, space: spaces.Space, how: How, *, by: User, run_here: bool) -> Search:
    search.start_name = search.start.full_name if search.start else ""
    search.space = spaces.as_json(space)
    for name, value in how.columns().items():
        setattr(search, name, value)
    search.save(force_insert=True)
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
        free_orphans(search)
        if not trials_left(search):
            raise SearchNotPossible(_("All trials of this search have ended. Add more trials."))
        _run(search, by=by, run_here=run_here)
    return search


def add_trials(search: Search, count: int, *, by: User, run_here: bool = False) -> Search:
    """Want this many trials more, and queue jobs for them. SearchNotPossible if it would have too many."""
    require_trials(count)
    with transaction.atomic():
        _lock_jobs(search)
        search = locked(search)
        if search.wanted + count > MAX_TRIALS:
            message = _("A search can have at most %(most)s trials, and this one has %(wanted)s.")
            raise SearchNotPossible(message % {"most": MAX_TRIALS, "wanted": search.wanted})
        search.wanted += count
        search.save(update_fields=["wanted"])
        free_orphans(search)
        _run(search, by=by, run_here=run_here)
    return search


def use(search: Search, number: int | None, *, by: User, name: str = "", budget: Budget | None = None) -> Job:
    """Queue the training of a bot, or of a base model, with the settings of a trial (None: of the best).

    It's a training like any other, with the seed of the search: it learns what the trial has learned. A base model
    can get another `budget`. Raises SearchNotPossible for a trial that isn't complete, and what the training raises.
    """
    trial = _complete(search, number)
    _require_start(search, by)
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
    return planning.fine_tune(
        owner=by,
        corpus=search.corpus,
        start=search.start,
        name=name,
        seed=search.seed,
        exactly=bots.config_of(search.settings, trial.parameters, seed=search.seed),
    )


def make_recipe(search: Search, number: int | None, *, by: User) -> TierRecipe:
    """Make the settings of a trial (None: of the best) those with which new trainings of its tier begin here.

    Raises SearchError for others than administrators, and SearchNotPossible as `use`.
    """
    if not base_services.may_choose(by) or search.kind != Search.Kind.BOT:
        raise SearchError(_("Only an administrator can change the usual settings, and only from a search for a bot."))
    trial = _complete(search, number)
    tier = Tier.of({"kind": search.settings["kind"]})
    values = dict(trial.parameters)
    epochs = values.pop("epochs", None)
    recipe = TierRecipe(
        tier=str(tier),
        settings=values,
        epochs=epochs if tier == Tier.QUICK else None,
        search_name=search.name,
        trial=trial.number,
        by_name=by.get_username(),
        made_on=f"{timezone.now():%Y-%m-%d}",
    )
    return tier_recipes.keep(recipe)


def _complete(search: Search, number: int | None) -> Trial:
    trial = best_of(search.trials.all()) if number is None else search.trials.filter(number=number).first()
    if trial is not None and trial.state == Trial.State.COMPLETE:
        return trial
    if number is None:
        raise SearchNotPossible(_("No trial of this search is complete yet."))
    raise SearchNotPossible(_("Trial %(number)s isn’t complete. Choose one that is.") % {"number": number})


def delete(search: Search) -> None:
    """Delete the search with its trials and jobs. Bots that were made from it stay."""
    with transaction.atomic():
        jobs.delete_jobs(Job.objects.filter(lane__search=search))
        idempotency.forget(search.pk)
        search.delete()


def locked(search: Search) -> Search:
    """Lock the search until the transaction ends, and return it as it is now."""
    list(Search.objects.select_for_update(no_key=True).filter(pk=search.pk).values_list("pk"))
    return Search.objects.select_related("corpus", "start", "owner").get(pk=search.pk)


def active_jobs(search: Search) -> QuerySet[Job]:
    return jobs.active_jobs(Job.objects.filter(lane__search=search))


def free_orphans(search: Search) -> None:
    """Let others take the trials whose jobs have been deleted or have ended. Call it with the search locked."""
    orphans = search.trials.filter(state=Trial.State.RUNNING).exclude(job__state__in=ACTIVE)
    orphans.update(state=Trial.State.WAITING)


def trials_left(search: Search) -> int:
    """Return how many trials have yet to begin or to begin again."""
    return max(0, search.wanted - search.trials.filter(state__in=COUNTED).count())


def trials_ahead(search: Search) -> int:
    """Return how many trials have yet to end, those that run included."""
    return trials_left(search) + search.trials.filter(state=Trial.State.RUNNING).count()


def needs(job: Job) -> dict[str, int]:
    """Return how many minutes of its owner's limit a job of a search for a bot reserves: those of its trials.

    A trial that runs counts as a whole.
    """
    search = Search.objects.select_related("corpus").filter(pk=job.arguments["search"]).first()
    if search is None or search.corpus is None:
        return {}
    ahead = trials_ahead(search)
    seconds = ahead * bots.seconds_of_a_trial(search) / max(1, min(search.at_once, ahead))
    return {planning.TRAINING_MINUTES: max(1, round(seconds / 60))}


def may_start(job: Job) -> None:
    """Raise NotPossible unless a job of a search can be tried again. JobKind calls this before a retry."""
    search = Search.objects.select_related("corpus", "start").filter(pk=job.arguments["search"]).first()
    if search is None:
        raise NotPossible(_("This search was deleted."))
    free_orphans(locked(search))
    if not trials_left(search):
        raise NotPossible(_("All trials of this search have ended. Add more trials."))
    if search.start is not None and not may_go_on_from(job.owner, search.start):
        raise NotPossible(planning.cannot_go_on_from(search.start))
    if search.kind == Search.Kind.BOT:
        planning.require_posts(job)


def _require_start(search: Search, by: User) -> None:
    """Raise SearchNotPossible if the model that its trials start from was deleted, or nobody may go on from it."""
    if search.start_name and search.start is None:
        raise SearchNotPossible(_("The model that the trials started from was deleted."))
    if search.start is not None and not may_go_on_from(by, search.start):
        raise SearchNotPossible(planning.cannot_go_on_from(search.start))


def _lock_jobs(search: Search) -> None:
    """Lock the active jobs of a search for a bot until the transaction ends. Call it before `locked`.

    A claim locks the person before the job, and a runner locks its job before the search.
    """
    working = active_jobs(search)
    if search.owner_id is not None and working.exists():
        locking.lock(search.owner_id)
        list(working.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk"))


def _reserve_more(job: Job) -> None:
    """Reserve what a job that works already needs for trials that were added. LimitReached if that's too much."""
    wanted = needs(job)
    limits.require_room(job.owner, {name: max(0, most - job.reserved.get(name, 0)) for name, most in wanted.items()})
    Job.objects.filter(pk=job.pk).update(reserved=wanted)


def _run(search: Search, *, by: User, run_here: bool) -> None:
    """Queue as many jobs as can work at once, unless they're there. Those that were stopped continue."""
    _require_start(search, by)
    lanes = [lane.job for lane in search.lanes.select_related("job").order_by("job__created_at")]
    missing = min(search.at_once, trials_ahead(search)) - sum(job.state in ACTIVE for job in lanes)
    if search.kind == Search.Kind.BOT:
        for job in lanes:
            if job.state in ACTIVE:
                _reserve_more(job)
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
