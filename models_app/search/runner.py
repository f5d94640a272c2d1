"""The job of a search: runs one trial at a time, until none is left.

After a minute's worth of trials the job goes back to the queue, so that others get their turn, and so that the memory
of their networks ends with the process. A killed worker's trial continues from its last epoch, because the job that
runs it is claimed again.
"""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pydantic import Field

from botfactory.jobs.errors import ComeBackLater, JobCancelled, JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.interruptions import REACTIONS
from botfactory.jobs.kinds import Description, JobKind
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.outages.errors import Cause
from botfactory.rest.schemas import Output
from botfactory.words.translation import stored
from models_app.bases import runner as base_runner
from models_app.bases import services as base_services
from models_app.bots.errors import ModelError
from models_app.ml.errors import BadSetting, Cancelled, LearningError, TrainingDiverged, mark
from models_app.search import services
from models_app.search.learning import Learned, Steps, TrialPruned, folder_of, learn_base, learn_bot
from models_app.search.outlook import best_of
from models_app.search.rows import Lane, Search, Trial
from models_app.training import planning

#: Short trials share a process for about so many seconds, because starting one takes several.
TOGETHER: Final = 60.0
#: Why a job of a search is back in the queue.
NEXT: Final = mark("The next trial begins in a moment.")
#: What a job fails with because of the trial that it ran.
_OF_ITS_TRIAL: Final = frozenset({"worker_lost", "time_limit", REACTIONS[Cause.MEMORY].code, "internal_error"})


class SearchProgress(Output):
    """The trials of a search."""

    trial: int | None = Field(None, description="The number of the trial of a search, from 0.")
    trials: int | None = Field(None, description="How many trials of the search have ended.")
    of_trials: int | None = Field(None, description="How many trials the search wants.")


def run_search(handle: JobHandle) -> dict[str, Any]:
    """Run trials for about a minute, then come back later; return the best trial once none is left."""
    lane = Lane.objects.select_related("search").filter(job=handle.job).first()
    if lane is None:
        raise JobFailed("search_deleted", mark("This search was deleted."))
    search = Search.objects.select_related("corpus", "start", "owner").get(pk=lane.search_id)
    if search.kind == Search.Kind.BASE:
        base_runner.require_administrator(handle)
    if search.start_name and search.start is None:
        raise JobFailed("model_deleted", mark("The model to start from was deleted."))
    begun = time.monotonic()
    while (trial := _take(handle, search)) is not None:
        _run(handle, search, trial)
        with handle.fenced():
            is_more = services.trials_left(services.locked(search)) > 0
            # Fewer minutes are needed.
            reserved = services.needs(handle.job) if search.kind == Search.Kind.BOT else {}
            Job.objects.filter(pk=handle.job.pk).update(reserved=reserved)
        handle.check()
        is_long = time.monotonic() - begun > TOGETHER or handle.should_yield()
        # At a terminal, no worker is to take it.
        if is_more and is_long and not handle.job.at_terminal:
            raise ComeBackLater(timezone.now(), NEXT)
    return _result(search)


def _take(handle: JobHandle, search: Search) -> Trial | None:
    """Return the trial that this job has begun, one that somebody's stop has interrupted, or a new one; else None."""
    # Imported here, in a worker, and before the transaction: it takes half a second.
    from models_app.search import study

    with handle.fenced():
        search = services.locked(search)
        mine = search.trials.filter(job=handle.job, state=Trial.State.RUNNING).first()
        if mine is not None:
            return mine
        services.free_orphans(search)
        if not services.trials_left(search):
            return None
        waiting = list(search.trials.filter(state=Trial.State.WAITING).order_by("number"))
        trial = next((one for one in waiting if one.job_id == handle.job.pk), waiting[0] if waiting else None)
        if trial is None:
            trial = study.ask(search)
        else:
            if trial.job_id != handle.job.pk:
                # The work of another job isn't here, so it begins again.
                trial.points, trial.seconds = {}, 0.0
            # The time for which it was stopped doesn't count.
            trial.started_at = timezone.now() - timedelta(seconds=trial.seconds)
        trial.state, trial.job, trial.finished_at = Trial.State.RUNNING, handle.job, None
        trial.save()
    return trial


def _run(handle: JobHandle, search: Search, trial: Trial) -> None:
    """Run the trial until it ends. Raises ComeBackLater or JobCancelled if it's interrupted."""
    steps = Steps(handle, search, trial)
    steps.begin()
    learn = learn_base if search.kind == Search.Kind.BASE else learn_bot
    try:
        learned = learn(handle, search, trial, steps)
    except TrialPruned:
        _finish(handle, search, trial, Trial.State.PRUNED)
    except Cancelled as cancelled:
        # At a terminal, it was Ctrl-C.
        if handle.control() == "cancel" or handle.job.at_terminal:
            raise JobCancelled from cancelled
        # A base training has saved its state.
        why = base_runner.AWAITED if handle.should_yield() else mark("The worker stopped.")
        raise ComeBackLater(timezone.now(), why) from cancelled
    except (TrainingDiverged, BadSetting, ModelError, base_services.BaseError) as error:
        # These settings don't work. Others may.
        _finish(handle, search, trial, Trial.State.FAILED, why=error)
    except LearningError as error:
        raise JobFailed(error.code, error) from error
    else:
        _finish(handle, search, trial, Trial.State.COMPLETE, learned)


def _finish(
    handle: JobHandle,
    search: Search,
    trial: Trial,
    state: Trial.State,
    learned: Learned | None = None,
    why: Exception | None = None,
) -> None:
    from models_app.search import study

    with handle.fenced():
        locked = services.locked(search)
        row = Trial.objects.get(pk=trial.pk)
        row.state, row.finished_at = state, timezone.now()
        if learned is not None:
            row.bits_per_character, row.weights = learned.bits_per_character, learned.weights
            row.seconds = learned.seconds
        elif row.points:
            row.bits_per_character = row.points[max(row.points, key=int)]
        if why is not None:
            row.why, row.words = str(why), stored(why)
        row.save()
        if state == Trial.State.COMPLETE:
            locked.importance = study.importance_of(locked)
            locked.save(update_fields=["importance"])
    # The state of a trial is several times as large as its network.
    shutil.rmtree(folder_of(handle, trial), ignore_errors=True)
    handle.record("trial", {"trial": row.number, "state": str(state), "bits_per_character": row.bits_per_character})


def _result(search: Search) -> dict[str, Any]:
    best = best_of(search.trials.all())
    return {
        "search": str(search.pk),
        "best_trial": None if best is None else best.number,
        "bits_per_character": None if best is None else best.bits_per_character,
    }


def ended(job: Job) -> None:
    """Let go of the trial of a job that ended without success: it waits, or it's what the job failed of."""
    running = Trial.objects.filter(job=job, state=Trial.State.RUNNING)
    if job.state == State.FAILED and job.error_code in _OF_ITS_TRIAL:
        words = job.words.get("error", {})
        running.update(state=Trial.State.FAILED, why=job.error_message, words=words, finished_at=timezone.now())
    else:
        running.update(state=Trial.State.WAITING)


def details(job: Job) -> dict[str, Any]:
    """Return what the API tells of the request."""
    return {"search": job.arguments["search"]}


def _kind(name: str, label: Any, **values: Any) -> JobKind:
    return JobKind(
        name=name,
        queue="train",
        template="models_app/search_job.html",
        label=label,
        run=run_search,
        preemptible=True,
        may_start=services.may_start,
        ended=ended,
        details=details,
        again=_("Continue"),
        to_take_less=_("Choose smaller networks, fewer epochs or fewer posts."),
        done=_("The search has ended. Its page shows the best trial and makes a bot from it."),
        kept=_("The trials so far are kept. “Continue” starts from there."),
        **values,
    )


KIND: Final = _kind(
    services.SEARCH,
    _("Search for the best settings"),
    subject="corpus",
    needs=services.needs,
    meter=planning.TRAINING_MINUTES,
    describe=Description(progress=SearchProgress),
)
BASE_KIND: Final = _kind(services.SEARCH_BASE, _("Search for the best base model"))
