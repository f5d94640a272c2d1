"""Searches: their trials learn and end early; the best becomes a bot or a base model."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from botfactory.accounts import limits
from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import guards, versions
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.ml.config import FineTuneConfig
from models_app.ml.training.events import FineTuneResult
from models_app.search import bots, runner, study
from models_app.search import services as searches
from models_app.search.learning import Learned, learn_bot
from models_app.search.outlook import best_of
from models_app.search.rows import Search, Trial
from models_app.search.services import SearchNotPossible
from models_app.training import planning
from tests.jobs.folders import kept_dir
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.conftest import import_posts
from tests.models_app.search.searching import SPACE, finish, jobs_of, one_attempt, search_for
from tests.models_app.shared_bot import make_bot
from tests.product import save_small_base
from tests.rest.helpers import Program, require_error
from tweets.cleaning import CleaningRules
from tweets.corpora import services as corpora
from tweets.corpora.errors import CorpusBusy
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_trial_per_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TOGETHER", 0.0)


def test_short_trials_share_an_attempt(corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TOGETHER", 3600.0)
    search = search_for(corpus, base, trials=3)
    [job] = jobs_of(search)
    assert (one_attempt(job).state, job.attempt) == (State.SUCCEEDED, 1)
    assert search.trials.filter(state=Trial.State.COMPLETE).count() == 3
    assert [event.payload["trial"] for event in job.events.filter(kind="trial").order_by("sequence")] == [0, 1, 2]


def test_trials_learn_one_after_the_other_and_the_best_becomes_a_bot(corpus: Corpus, base: TrainedModel) -> None:
    search = search_for(corpus, base)
    [job] = jobs_of(search)
    assert (job.title, job.queue, job.priority) == ("Find the best settings for Posts", "train", -1)
    one_attempt(job)
    assert job.state == State.QUEUED and search.trials.get().state == Trial.State.COMPLETE
    assert list(kept_dir(job).iterdir()) == [], "the state of a trial that has ended isn't kept"
    finish(search)
    trials = list(search.trials.all())
    assert [trial.number for trial in trials] == [0, 1, 2]
    for trial in trials:
        assert trial.parameters.keys() == SPACE.keys()
        assert 0.0005 <= trial.parameters["learning_rate"] <= 0.02 and trial.parameters["batch_size"] in (8, 16)
        assert len(trial.points) == trial.parameters["epochs"]
        assert trial.bits_per_character is not None and trial.seconds > 0 and trial.weights
    best = best_of(search.trials.all())
    assert best is not None
    assert best.bits_per_character == min(trial.bits_per_character or 99 for trial in trials)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
    assert job.result == {
        "search": str(search.pk),
        "best_trial": best.number,
        "bits_per_character": best.bits_per_character,
    }
    training = searches.use(search, None, by=corpus.owner, name="The best")
    worker.run(training.pk)
    training.refresh_from_db()
    assert training.state == State.SUCCEEDED, training.error_message
    bot = TrainedModel.objects.get(job=training)
    assert (bot.owner, bot.name, bot.parent) == (corpus.owner, "The best", base)
    # By the same seed it has learned the same, and it has all that a bot has.
    assert bot.bits_per_character == best.bits_per_character
    assert {name: bot.training[name] for name in best.parameters} == best.parameters
    assert bot.report and guards.state_of(bot) is guards.State.KEPT


def test_the_same_seed_tries_the_same(corpus: Corpus, base: TrainedModel) -> None:
    first, second = (finish(search_for(corpus, base, trials=2)) for _ in range(2))
    values = [list(search.trials.values_list("parameters", "bits_per_character")) for search in (first, second)]
    assert values[0] == values[1]


@pytest.mark.parametrize("pruner", Search.Pruner.values)
@pytest.mark.parametrize("sampler", Search.Sampler.values)
def test_each_sampler_asks_and_each_pruner_decides(
    sampler: str, pruner: str, corpus: Corpus, base: TrainedModel
) -> None:
    search = search_for(corpus, base, trials=30, sampler=sampler, pruner=pruner)
    pruned = 0
    for number in range(20):
        trial = study.ask(search)
        # The loss depends on the learning rate only, and bad trials are bad from the start.
        loss = 2 + abs(trial.parameters["learning_rate"] - 0.001) * 100
        for step in range(1, 4):
            trial.points[str(step)] = loss - step * 0.01
            trial.save(update_fields=["points"])
            if step < 3 and study.should_prune(search, trial):
                trial.state, pruned = Trial.State.PRUNED, pruned + 1
                break
        else:
            trial.state = Trial.State.COMPLETE
        trial.bits_per_character, trial.finished_at = loss, timezone.now()
        trial.save(update_fields=["state", "bits_per_character", "finished_at"])
        assert trial.number == number
    assert (pruned > 0) == (pruner != Search.Pruner.NONE)
    found = study.importance_of(search)
    assert sum(found.values()) == pytest.approx(1, abs=0.01)
    assert pruner != Search.Pruner.NONE or next(iter(found)) == "learning_rate"


def test_a_worse_trial_ends_early(corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "STARTUP_PRUNING", 1)
    search = search_for(
        corpus, base, trials=2, space={"learning_rate": {"choices": [0.01]}, "epochs": {"choices": [3]}}
    )
    [job] = jobs_of(search)
    one_attempt(job)
    trial = search.trials.get()
    # As if the first had been better than anything possible.
    Trial.objects.filter(pk=trial.pk).update(points=dict.fromkeys(("1", "2", "3"), 0.1))
    finish(search)
    pruned = search.trials.get(number=1)
    assert pruned.state == Trial.State.PRUNED and list(pruned.points) == ["1"]
    assert pruned.bits_per_character == pruned.points["1"]
    with pytest.raises(SearchNotPossible, match="Trial 1 isn’t complete"):
        searches.use(search, 1, by=corpus.owner)


def test_a_trial_with_fewer_parts_than_it_was_to_have_is_complete_after_its_last(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models_app.ml.training import trainer

    monkeypatch.setattr(study, "STARTUP_PRUNING", 1)
    fine_tune = trainer.fine_tune

    def of_one_epoch(*, config: FineTuneConfig, **more: Any) -> FineTuneResult:
        return fine_tune(config=replace(config, epochs=1), **more)

    monkeypatch.setattr(trainer, "fine_tune", of_one_epoch)
    space = {"learning_rate": {"choices": [0.01]}, "epochs": {"choices": [3]}}
    search = search_for(corpus, base, trials=2, space=space)
    [job] = jobs_of(search)
    one_attempt(job)
    # As in the test before, it would end early if more came.
    Trial.objects.update(points=dict.fromkeys(("1", "2", "3"), 0.1))
    finish(search)
    assert search.trials.get(number=1).state == Trial.State.COMPLETE


def test_settings_that_do_not_work_fail_their_trial_only(corpus: Corpus, base: TrainedModel) -> None:
    search = search_for(corpus, base, trials=1)
    trial = study.ask(search)
    Trial.objects.filter(pk=trial.pk).update(parameters={**trial.parameters, "dropout": 2}, state=Trial.State.WAITING)
    finish(search)
    trial.refresh_from_db()
    assert trial.state == Trial.State.FAILED and "dropout must be a number" in trial.shown_why


def test_its_minutes_count_against_the_limit(
    corpus: Corpus, base: TrainedModel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn_slowly(*values: Any, **more: Any) -> Learned:
        # Time is charged in whole seconds.
        time.sleep(0.6)
        return learn_bot(*values, **more)

    monkeypatch.setattr(runner, "learn_bot", learn_slowly)
    PersonalLimits.objects.create(user=alice, training_minutes_a_day=10)
    with pytest.raises(limits.LimitReached) as caught:
        search_for(corpus, base, trials=500)
    assert caught.value.limit == "training_minutes_a_day" and not Search.objects.exists()
    search = search_for(corpus, base, trials=1, at_once=8)
    [job] = jobs_of(search)
    assert job.reserved["training_minutes_a_day"] >= 1
    with pytest.raises(limits.LimitReached):
        searches.add_trials(search, 499, by=alice)
    search.refresh_from_db()
    assert search.wanted == 1
    one_attempt(job)
    used = limits.usage_of(alice).training_minutes_a_day
    assert used == 1, "the time of the trial, in whole minutes"


def test_it_reserves_what_it_still_needs(
    corpus: Corpus, base: TrainedModel, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots, "seconds_of_a_trial", lambda search: 120.0)
    search = search_for(corpus, base, trials=3)
    [job] = jobs_of(search)
    reserved = [job.reserved["training_minutes_a_day"]]
    one_attempt(job)
    job.refresh_from_db()
    reserved.append(job.reserved["training_minutes_a_day"])
    searches.add_trials(search, 2, by=alice)
    job.refresh_from_db()
    assert [*reserved, job.reserved["training_minutes_a_day"]] == [6, 4, 8]


def test_its_posts_stay_as_they_are_while_it_runs_and_go_with_it(corpus: Corpus, base: TrainedModel) -> None:
    search = search_for(corpus, base, trials=1)
    with pytest.raises(CorpusBusy):
        corpora.reclean(corpus, CleaningRules(keep_replies=True))
    finish(search)
    searches.delete(search)
    assert not Search.objects.exists() and not Trial.objects.exists() and not Job.objects.filter(kind="search").exists()


def test_a_job_of_a_search_that_is_done_or_deleted_cannot_be_tried_again(corpus: Corpus, base: TrainedModel) -> None:
    search = search_for(corpus, base, trials=1)
    [job] = jobs_of(search)
    searches.stop(search)
    job.refresh_from_db()
    Trial.objects.create(search=search, number=0, state=Trial.State.COMPLETE, bits_per_character=2.0)
    with pytest.raises(NotPossible, match="Add more trials"):
        jobs.retry(job)
    Search.objects.all().delete()
    with pytest.raises(NotPossible, match="deleted"):
        jobs.retry(job)


def test_nobody_goes_on_from_a_bot_that_is_somebody_s_own_again_or_retired(
    corpus: Corpus, base: TrainedModel, bob: User
) -> None:
    """Alice's bot was the base model for a while, and Bob began a search and a training from it."""
    bot = make_bot(corpus, base)
    versions.make_base(bot, how=BaseChange.How.PROMOTED)
    own = import_posts(bob, seed=8)
    search = search_for(own, bot, trials=2)
    job = planning.fine_tune(owner=bob, corpus=own, start=bot, epochs=1, name="Bob")
    Trial.objects.create(search=search, number=0, state="complete", parameters={"epochs": 1}, bits_per_character=2.0)
    for each in [job, *jobs_of(search)]:
        jobs.cancel(each)
    versions.make_base(base, how=BaseChange.How.PROMOTED)
    program = Program(bob)
    require_error(program.post(f"/searches/{search.pk}/resume"), 409, "not_possible")
    require_error(program.post(f"/searches/{search.pk}/trials", {"trials": 1}), 409, "not_possible")
    refused = require_error(program.post(f"/searches/{search.pk}/use", {"trial": 0}), 409, "not_possible")
    assert "Only its owner can start from Crier." in refused
    for each in [job, *jobs_of(search)]:
        require_error(program.post(f"/jobs/{each.pk}/retry"), 409, "not_possible")
    # Nor by jobs of its own, if those that were there are deleted.
    jobs.delete_jobs(Job.objects.filter(lane__search=search))
    require_error(program.post(f"/searches/{search.pk}/resume"), 409, "not_possible")
    search.refresh_from_db()
    assert search.wanted == 2 and jobs_of(search) == []
    # Everybody may go on from an earlier version of the base model, until it's retired.
    earlier = search_for(own, base, trials=2)
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    assert versions.base_model() != base
    for each in jobs_of(earlier):
        jobs.cancel(each)
    assert program.post(f"/searches/{earlier.pk}/resume").status_code == 200
    for each in jobs_of(earlier):
        jobs.cancel(each)
    TrainedModel.objects.filter(pk=base.pk).update(retired_at=timezone.now())
    require_error(program.post(f"/searches/{earlier.pk}/resume"), 409, "not_possible")
