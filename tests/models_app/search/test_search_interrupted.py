"""Searches whose workers are killed, stopped, needed or full, and whose jobs are deleted: their trials go on."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts import limits
from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import reaper, worker
from botfactory.jobs import services as jobs
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from models_app.search import bots, runner
from models_app.search import services as searches
from models_app.search.learning import Learned
from models_app.search.outlook import outlook_of, with_trials
from models_app.search.rows import Search, Trial
from models_app.search.services import SearchNotPossible
from models_app.training import planning
from tests.at_once import at_once
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.conftest import import_posts
from tests.models_app.search.searching import SPACE, finish, jobs_of, one_attempt, search_for
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.fixture(autouse=True)
def a_trial_per_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TOGETHER", 0.0)


def killed_when(job: Job, what: str) -> None:
    """Run an attempt that ends without a trace when its job tells this, as if its process had been killed."""
    claimed = worker.claim(job.pk)
    assert claimed is not None

    class Killed(BaseException):
        pass

    def kill(kind: str, payload: dict[str, Any]) -> None:
        if kind == what:
            raise Killed

    with pytest.raises(Killed):
        worker.run_claimed(claimed, listener=kill)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))


def test_a_killed_worker_loses_the_running_epoch_at_most(corpus: Corpus, base: TrainedModel) -> None:
    space = {"learning_rate": SPACE["learning_rate"], "epochs": {"choices": [3]}}
    whole = finish(search_for(corpus, base, trials=1, space=space)).trials.get()
    search = search_for(corpus, base, trials=1, space=space)
    [job] = jobs_of(search)
    killed_when(job, "step")
    trial = search.trials.get()
    assert trial.state == Trial.State.RUNNING and list(trial.points) == ["1"]
    reaper.reap()
    job.refresh_from_db()
    assert (job.state, job.interruptions) == (State.INTERRUPTED, 1)
    finish(search)
    trial.refresh_from_db()
    assert trial.state == Trial.State.COMPLETE and search.trials.count() == 1
    assert (trial.points, trial.bits_per_character) == (whole.points, whole.bits_per_character)
    steps = [event.payload["step"] for event in job.events.filter(kind="step").order_by("sequence")]
    assert steps == [1, 2, 3], "no epoch was learned twice"
    job.refresh_from_db()
    assert job.interruptions == 0, "the next trial's worker may be lost as often"


def test_a_trial_that_kills_its_worker_each_time_fails_and_the_others_go_on(corpus: Corpus, base: TrainedModel) -> None:
    search = search_for(corpus, base, trials=2, space={**SPACE, "epochs": {"choices": [3]}})
    [job] = jobs_of(search)
    for _ in range(3):
        killed_when(job, "progress")
        reaper.reap()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "worker_lost")
    trial = search.trials.get()
    assert trial.state == Trial.State.FAILED and "The worker stopped 3 times" in trial.shown_why
    finish(searches.resume(search, by=corpus.owner))
    assert list(search.trials.values_list("state", flat=True)) == ["failed", "complete"]
    assert len(jobs_of(search)) == 1


def test_a_trial_that_is_too_large_fails_and_the_others_go_on(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*values: Any) -> Learned:
        raise MemoryError

    search = search_for(corpus, base, trials=2)
    [job] = jobs_of(search)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "learn_bot", too_large)
        for _ in range(3):
            Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
            one_attempt(job)
    assert (job.state, job.error_code) == (State.FAILED, "out_of_memory")
    trial = search.trials.get()
    assert trial.state == Trial.State.FAILED and "ran out of memory 3 times" in trial.shown_why
    finish(searches.resume(search, by=corpus.owner))
    assert list(search.trials.values_list("state", flat=True)) == ["failed", "complete"]


def test_stopped_and_resumed_a_trial_goes_on_where_it_was(corpus: Corpus, base: TrainedModel) -> None:
    search = search_for(corpus, base, trials=2, space={**SPACE, "epochs": {"choices": [3]}})
    [job] = jobs_of(search)
    claimed = worker.claim(job.pk)
    assert claimed is not None

    def stop(kind: str, payload: dict[str, Any]) -> None:
        if kind == "step" and payload["step"] == 1:
            assert searches.stop(search) == 1
            # The flag is read twice a second.
            time.sleep(1.2)

    worker.run_claimed(claimed, listener=stop)
    job.refresh_from_db()
    trial = search.trials.get()
    assert (job.state, trial.state, list(trial.points)) == (State.CANCELLED, Trial.State.WAITING, ["1"])
    loaded = with_trials(Search.objects.filter(pk=search.pk)).get()
    assert outlook_of(loaded).state == "stopped"
    Trial.objects.update(started_at=timezone.now() - timedelta(days=1))
    one_attempt(jobs_of(searches.resume(search, by=corpus.owner))[0])
    trial.refresh_from_db()
    loaded = with_trials(Search.objects.filter(pk=search.pk)).get()
    left = outlook_of(loaded).seconds_left
    assert left is not None and trial.seconds <= left < 3600, "the time for which it was stopped doesn't count"
    finish(search)
    assert [job.pk] == [one.pk for one in jobs_of(search)]
    steps = [event.payload for event in job.events.filter(kind="step").order_by("sequence")]
    assert [step["step"] for step in steps if step["trial"] == 0] == [1, 2, 3]
    loaded = with_trials(Search.objects.filter(pk=search.pk)).get()
    assert outlook_of(loaded).state == "done"
    with pytest.raises(SearchNotPossible, match="Add more trials"):
        searches.resume(search, by=corpus.owner)
    searches.add_trials(search, 1, by=corpus.owner)
    with pytest.raises(SearchNotPossible, match="is running"):
        searches.resume(search, by=corpus.owner)
    assert finish(search).trials.count() == 3


def test_trials_run_at_once_share_one_search_and_one_whose_job_is_deleted_begins_again(
    corpus: Corpus, base: TrainedModel
) -> None:
    search = search_for(corpus, base, trials=5, at_once=2, pruner="none", space={**SPACE, "epochs": {"choices": [2]}})
    first, second = jobs_of(search)
    killed_when(first, "step")
    one_attempt(second)
    assert list(search.trials.values_list("number", "job", "state")) == [
        (0, first.pk, "running"),
        (1, second.pk, "complete"),
    ]
    jobs.delete_jobs(Job.objects.filter(pk=first.pk))
    finish(search)
    assert list(search.trials.values_list("number", "job", "state")) == [
        (number, second.pk, "complete") for number in range(5)
    ]


def test_somebody_who_waits_goes_first_after_the_epoch(corpus: Corpus, base: TrainedModel, bob: User) -> None:
    search = search_for(corpus, base, trials=1, space={**SPACE, "epochs": {"choices": [3]}})
    [job] = jobs_of(search)
    waiting = planning.fine_tune(owner=bob, corpus=import_posts(bob), start=base)
    Job.objects.filter(pk=waiting.pk).update(available_at=timezone.now() + timedelta(hours=1))
    claimed = worker.claim(job.pk)
    assert claimed is not None

    def come(kind: str, payload: dict[str, Any]) -> None:
        if kind == "step":
            Job.objects.filter(pk=waiting.pk).update(available_at=timezone.now() - timedelta(minutes=1))
            time.sleep(1.2)

    worker.run_claimed(claimed, listener=come)
    job.refresh_from_db()
    trial = search.trials.get()
    assert (job.state, trial.state) == (State.QUEUED, Trial.State.RUNNING) and 1 <= len(trial.points) < 3
    assert job.progress["message"] == "Paused while people’s bots are trained."
    Job.objects.filter(pk=waiting.pk).update(state=State.CANCELLED)
    finish(search)
    assert len(search.trials.get().points) == 3


def test_a_search_whose_job_was_deleted_during_its_last_trial_goes_on(
    corpus: Corpus, base: TrainedModel, alice: User
) -> None:
    search = search_for(corpus, base, trials=1)
    [job] = jobs_of(search)
    search.trials.create(number=0, state=Trial.State.RUNNING, job=job, parameters={})
    # As it was in earlier versions: jobs.delete_jobs now lets others take the trial.
    Job.objects.filter(pk=job.pk).delete()
    assert searches.trials_left(search) == 0
    searches.resume(search, by=alice)
    assert searches.trials_left(search) == 1 and len(jobs_of(search)) == 1


def test_minutes_are_reserved_for_added_trials_and_for_the_one_that_runs(
    corpus: Corpus, base: TrainedModel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots, "seconds_of_a_trial", lambda search: 120.0)
    own = PersonalLimits.objects.create(user=alice, training_minutes_a_day=7)
    search = search_for(corpus, base, trials=3, space={**SPACE, "epochs": {"choices": [2]}})
    [job] = jobs_of(search)
    killed_when(job, "step")
    with pytest.raises(limits.LimitReached):
        searches.add_trials(search, 1, by=alice)
    own.training_minutes_a_day = 8
    own.save()
    searches.add_trials(search, 1, by=alice)
    job.refresh_from_db()
    assert job.reserved["training_minutes_a_day"] == 8


def test_an_added_trial_has_a_job_of_its_own_beside_one_that_runs(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots, "seconds_of_a_trial", lambda search: 120.0)
    search = search_for(corpus, base, trials=1, at_once=2, space={**SPACE, "epochs": {"choices": [2]}})
    [job] = jobs_of(search)
    assert job.reserved["training_minutes_a_day"] == 2
    killed_when(job, "step")
    searches.add_trials(search, 1, by=corpus.owner)
    assert [job.reserved["training_minutes_a_day"] for job in jobs_of(search)] == [2, 2]


def test_trials_are_added_while_one_ends(corpus: Corpus, base: TrainedModel) -> None:
    search = search_for(corpus, base, trials=2)
    claimed = worker.claim(jobs_of(search)[0].pk)
    assert claimed is not None
    handle, ends = JobHandle(claimed), threading.Event()

    def end() -> None:
        with handle.fenced():
            ends.set()
            # The other one waits for what it needs by then.
            time.sleep(0.5)
            searches.locked(search)

    def add() -> None:
        assert ends.wait(30)
        searches.add_trials(search, 1, by=corpus.owner)

    works = iter([end, add])
    at_once(2, lambda: next(works)())
    search.refresh_from_db()
    assert search.wanted == 3
