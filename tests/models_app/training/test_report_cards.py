from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import Mock

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils import timezone
from pydantic import ValidationError

from botfactory.accounts.models import User
from botfactory.jobs import services as services_of_jobs
from botfactory.jobs import worker
from botfactory.jobs.models import Job, Turn
from botfactory.jobs.states import State
from models_app.bots import files, loading, registry
from models_app.bots.rows import TrainedModel
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation import report_card
from models_app.ml.evaluation.report_card import Copied, ReportCard
from models_app.ml.networks.registry import products_per_symbol, small_network
from models_app.ml.training import dataset, prebuilt
from models_app.ml.training.learner import Learner
from models_app.sharing import rights as sharing
from models_app.training import estimates, fine_tune_job, planning, report_cards
from models_app.training.rows import TrainingMachine
from models_app.writing import generations
from models_app.your_data import bots as moving
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts, train
from tweets.corpora import learning
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_training_ends_with_a_report_card(corpus: Corpus, model: TrainedModel, base: TrainedModel) -> None:
    report = model.report
    assert report["bits_per_character"] == pytest.approx(model.bits_per_character, rel=1e-4)
    assert report["bits_per_character"] < report["base_bits_per_character"] == report["start_bits_per_character"]
    assert report["measured"] == round(corpus.posts_kept * estimates.VALIDATION_SHARE)
    assert report["novelty"]["bot"] == 1 - len(report["copies"]) / report["written"]
    assert report["asked"] == 20 and report["voice"]["held_out"] > 0.9 and report["voice"]["base"] < 0.3
    assert report["real_words"]["held_out"] > 0.9
    told = report["told_apart"]
    assert 0.4 < told["share"] <= 1 and 0 <= told["error"] < 0.15 and told["posts"] == report["written"]
    assert f"told apart {told['share']:.0%} (guessing: 50%)" in model.report_sentence


def test_a_card_of_an_early_version_is_shown_without_what_it_lacks(alice: User, model: TrainedModel) -> None:
    del model.report["told_apart"]
    model.save()
    page = signed_in(alice).get(model.get_absolute_url()).content.decode()
    assert "Report card" in page and "real words" in page and "A classifier told" not in page
    assert "told apart" not in model.report_sentence
    assert "told_apart" not in (sharing.figures_of(model) or {})
    assert signed_in(alice).get(f"/api/v1/models/{model.pk}").json()["report"] == model.report


def claimed(job: Job) -> Job:
    running = worker.claim(job.pk)
    assert running is not None
    return running


def test_what_the_base_model_writes_for_report_cards_is_written_once(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(corpus, base, name="First").state == State.SUCCEEDED
    path, weights = files.path_of(base) / report_cards.BASE_SAMPLES, loading.load(base)
    written = report_card.base_samples(weights)

    def kept() -> report_card.BaseSamples:
        return report_cards.base_samples_of(base, weights, lambda: None)

    first = path.read_bytes()
    with monkeypatch.context() as nobody_writes:
        nobody_writes.setattr(report_card, "base_samples", None)
        assert kept() == written
        assert train(corpus, base, name="Second").state == State.SUCCEEDED
        second = TrainedModel.objects.get(name="Second")
        assert second.report != {}
        again = worker.run_claimed(claimed(report_cards.remake(second, by=corpus.owner)))
        assert again.state == State.SUCCEEDED, again.error_message
    # If it is damaged, or from other weights or rules, it is written again.
    wrong = [
        first[:-9],
        b"",
        b"[]",
        first.replace(base.sha256.encode(), b"0" * 64),
        first.replace(b'"seed": 1', b'"seed": 2'),
    ]
    for content in wrong:
        path.write_bytes(content)
        assert kept() == written and path.read_bytes() == first
    # If it can't be stored, it is used anyway.
    path.unlink()
    monkeypatch.setattr("models_app.ml.checkpoint.write_durably", Mock(side_effect=OSError("No space left on device")))
    assert kept() == written and not path.exists()


def test_a_process_that_waits_for_trainings_writes_it_beforehand(
    base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, weights = files.path_of(base) / report_cards.BASE_SAMPLES, loading.load(base)
    monkeypatch.setattr(prebuilt, "_asked", Event())  # no training has begun in this process
    monkeypatch.setattr(prebuilt, "Learner", Learner)  # a new one
    measured: list[Any] = []
    prepare = prebuilt.prepare

    def preparing(start: Checkpoint) -> Any:
        measured.append(prepare(start))
        return measured[-1]

    monkeypatch.setattr(prebuilt, "prepare", preparing)
    monkeypatch.setattr(fine_tune_job, "characters_per_symbol", lambda meta: 2.7 if meta == weights.meta else 0)
    fine_tune_job.prepare()
    # In characters, whatever the base model's symbols are.
    machine = TrainingMachine.objects.get()
    assert machine.speed == pytest.approx(2.7 * measured[0])
    assert machine.products == pytest.approx(products_per_symbol(small_network(weights.network)) / 2.7)
    first = path.read_bytes()
    monkeypatch.setattr(report_card, "base_samples", None)
    fine_tune_job.prepare()
    assert path.read_bytes() == first
    assert report_cards.base_samples_of(base, weights, lambda: None).learned
    taken: Any = prebuilt.learner(
        small_network(weights.network), weights.weights, beta_2=0.99, clip_norm=1.0, dropout=0.06
    )
    assert taken._step.experimental_get_tracing_count()  # its graphs are built already


def test_a_training_that_begins_meanwhile_has_the_cores_for_itself(
    base: TrainedModel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.path_of(base) / report_cards.BASE_SAMPLES
    path.unlink(missing_ok=True)
    settings.TRAINER_BUILDS_AHEAD = False
    monkeypatch.setattr(prebuilt, "_asked", Event())
    prebuilt.stand_back()
    fine_tune_job.prepare()
    assert not path.exists()
    prebuilt._asked.clear()
    fine_tune_job.prepare()
    assert path.exists()


def test_an_operator_who_does_not_want_it_has_no_graphs_built_ahead(
    base: TrainedModel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prebuilt, "_asked", Event())
    monkeypatch.setattr(prebuilt, "_spare", None)
    settings.TRAINER_BUILDS_AHEAD = False
    fine_tune_job.prepare()
    assert prebuilt._spare is None and not TrainingMachine.objects.exists()


def test_without_a_base_model_there_is_nothing_to_prepare(db: None) -> None:
    shutil.rmtree(Path(settings.CHECKPOINTS_DIR), ignore_errors=True)
    fine_tune_job.prepare()
    assert not TrainedModel.objects.exists()


def test_a_report_card_that_cannot_be_made_loses_no_model(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(report_card, "report_card", broken)
    job = train(corpus, base)
    assert job.state == State.SUCCEEDED
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert model.report == {} and model.report_sentence == ""
    assert "the report card failed" in caplog.text


def test_the_bot_is_there_before_its_report_card_which_a_killed_training_makes_later(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Like kill -9 for the rows: nothing is cleaned up."""

    made = report_card.report_card
    monkeypatch.setattr(report_card, "report_card", Mock(side_effect=Killed))
    with pytest.raises(Killed):
        train(corpus, base, epochs=2)
    job = Job.objects.get(kind="fine_tune")
    model = TrainedModel.objects.get(job=job)
    assert job.progress["phase"] == "reporting" and job.progress["model"] == str(model.pk)
    assert job.progress["seconds_left"] is None, "nobody knows it"
    client, page = signed_in(corpus.owner), model.get_absolute_url()
    assert client.get(f"/api/v1/jobs/{job.pk}").json()["progress"]["model"] == str(model.pk)
    assert "The report card follows" in client.get(page).content.decode()
    assert len(generations.write(model, SamplingConfig(count=1))[0].posts) == 1
    epochs = [event.payload for event in job.events.filter(kind="epoch")]
    Job.objects.filter(pk=job.pk).update(state=State.INTERRUPTED, progress={})
    assert "This bot has no report card" in client.get(page).content.decode()

    # If it can't be made then either, there is still a bot.
    monkeypatch.setattr(report_card, "report_card", Mock(side_effect=MemoryError))
    assert worker.run_claimed(claimed(job)).state == State.SUCCEEDED
    Job.objects.filter(pk=job.pk).update(state=State.INTERRUPTED, progress={})

    monkeypatch.setattr(report_card, "report_card", made)
    told: list[dict[str, Any]] = []
    again = worker.run_claimed(claimed(job), listener=lambda kind, payload: told.append({**payload, "event": kind}))
    assert again.state == State.SUCCEEDED, again.error_message
    assert again.result["model"] == str(model.pk)
    model.refresh_from_db()
    assert model.report["bits_per_character"] == pytest.approx(model.bits_per_character, rel=1e-4)
    assert model.stored_bytes == files.stored_bytes(files.path_of(model))
    assert [event.payload for event in job.events.filter(kind="epoch")] == epochs
    assert not any(payload["event"] == "epoch" for payload in told), "no epoch is trained again"
    # Browsers and Postgres don't accept NaN.
    json.dumps(told, allow_nan=False)


def test_cancelled_while_the_report_card_is_made_it_is_a_bot_without_one(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(*, between: Callable[[], None], **_: object) -> None:
        job = Job.objects.get(kind="fine_tune")
        assert job.progress["phase"] == "reporting"
        Job.objects.filter(pk=job.pk).update(state=State.CANCELLING)
        for _tries in range(200):
            time.sleep(0.05)
            between()

    monkeypatch.setattr(report_card, "report_card", cancelled)
    job = train(corpus, base)
    assert job.state == State.SUCCEEDED
    assert TrainedModel.objects.get(pk=job.result["model"]).report == {}


def waiting_training(corpus: Corpus, base: TrainedModel) -> Job:
    """A training for which no worker has been free for a while."""
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=1, seed=5)
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now() - timedelta(minutes=1))
    return job


def test_a_report_card_gives_way_to_the_training_of_somebody_else(
    alice: User, bob: User, corpus: Corpus, base: TrainedModel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LIMIT_QUEUED_JOBS = 1
    other, made = import_posts(bob, seed=2), report_card.report_card
    waiting: list[Job] = []

    def interrupted(*, between: Callable[[], None], **_: object) -> None:
        waiting.append(waiting_training(other, base))
        for _tries in range(200):
            time.sleep(0.05)
            between()

    monkeypatch.setattr(report_card, "report_card", interrupted)
    first = planning.fine_tune(owner=alice, corpus=corpus, start=base, epochs=1, seed=5, name="Bot")
    assert worker.run_claimed(claimed(first)).state == State.SUCCEEDED
    model = TrainedModel.objects.get(job=first)
    card = report_cards.jobs_of(model).get()
    page = signed_in(alice).get(model.get_absolute_url()).content.decode()
    assert model.report == {} and "The report card follows" in page
    assert signed_in(alice).get(f"/api/v1/models/{model.pk}").json()["report"] is None
    # It counts as none of alice's, who may have one waiting job.
    own = planning.fine_tune(owner=alice, corpus=corpus, start=base, epochs=1, seed=6)
    services_of_jobs.cancel(own)

    monkeypatch.setattr(report_card, "report_card", made)
    next_one = worker.claim_next("train")
    assert next_one == waiting[0]
    # Nobody waits any more, and so this training makes its own.
    worker.run_claimed(next_one)
    assert TrainedModel.objects.get(job=next_one).report != {}
    served = turns_of(alice)
    last = worker.claim_next("train")
    assert last == card
    assert worker.run_claimed(last).state == State.SUCCEEDED
    model.refresh_from_db()
    assert model.report["bits_per_character"] == pytest.approx(model.bits_per_character, rel=1e-2)
    assert turns_of(alice) == served, "the card takes none of alice's turns"


def turns_of(user: User) -> list[datetime]:
    return list(Turn.objects.filter(owner=user).values_list("served_at", flat=True))


def test_a_report_card_that_gave_way_does_so_again_and_holds_up_no_job_of_its_owner(
    alice: User, corpus: Corpus, base: TrainedModel, model: TrainedModel, settings: Any
) -> None:
    settings.LIMIT_RUNNING_JOBS = 1
    card = claimed(report_cards.remake(model, by=alice))
    waiting = waiting_training(corpus, base)
    assert worker.claim_next("train") is None, "alice may have one running job"
    worker.run_claimed(card)
    assert card.state == State.QUEUED and card.progress["phase"] == "waiting"
    assert worker.claim_next("train") == waiting


def test_a_bot_that_is_deleted_needs_no_report_card(alice: User, model: TrainedModel) -> None:
    card = report_cards.remake(model, by=alice)
    registry.delete(model)
    card.refresh_from_db()
    assert card.state == State.CANCELLED


@pytest.mark.parametrize("error", [SoftTimeLimitExceeded, RuntimeError])
def test_a_report_card_that_takes_too_long_or_fails_costs_nobody_the_bot(
    error: type[Exception], corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def struck(**_: object) -> None:
        raise error

    monkeypatch.setattr(report_card, "report_card", struck)
    job = train(corpus, base)
    assert job.state == State.SUCCEEDED
    assert TrainedModel.objects.get(pk=job.result["model"]).report == {}


def test_copies_are_told_by_the_posts_own_keys_and_to_their_owner_alone(
    alice: User, bob: User, corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = report_card.report_card

    def copying(**values: Any) -> ReportCard:
        found = made(**values)
        return replace(found, copies=(Copied(7, 0.9, 12), Copied(None, 1.0, 3)), surprise=())

    monkeypatch.setattr(report_card, "report_card", copying)
    job = train(corpus, base)
    model = TrainedModel.objects.get(pk=job.result["model"])
    own, parents = model.report["copies"]
    learned, _ = dataset.split(learning.training_posts(corpus), seed=5)
    assert report_cards.card_posts_for_user(alice, model) == {own["post"]: learned[7]}
    assert parents == {"post": None, "share": 1.0, "run": 3}
    assert report_cards.card_posts_for_user(bob, model) == {}
    corpus.delete()
    assert report_cards.card_posts_for_user(alice, TrainedModel.objects.get(pk=model.pk)) == {}


@pytest.mark.parametrize(("share", "ends"), [(1.0, "between 91 and 100 right"), (0.0, "between 0 and 9 right")])
def test_told_apart_always_or_never_is_no_certainty(share: float, ends: str) -> None:
    model = TrainedModel(report={"told_apart": {"share": share, "error": 0.0, "posts": 20}})
    assert ends in model.told_apart_sentence and f"judged {share:.0%}".rstrip("%") in model.told_apart_sentence


@pytest.mark.parametrize(("share", "posts"), [(1.5, 20), (-0.1, 20), (0.5, 0)])
def test_a_card_with_impossible_figures_says_nothing_about_being_told_apart(share: float, posts: int) -> None:
    card = {"share": share, "error": 0.0, "posts": posts}
    assert TrainedModel(report={"told_apart": card}).told_apart_sentence == ""
    # A ZIP can't bring one any more.
    with pytest.raises(ValidationError, match=r"share|posts"):
        moving.ToldApart.model_validate(card)
