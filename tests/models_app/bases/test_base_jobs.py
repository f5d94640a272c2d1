"""Jobs train base models: only for administrators; interrupted, resumed, stopped."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import turns, worker
from botfactory.jobs.handle import JobHandle, work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bases import services as bases
from models_app.bots import guards, loading, versions
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import PretrainConfig
from models_app.ml.vocabulary import learning as vocabulary_learning
from models_app.ml.vocabulary import vocabulary_of
from tests.fakes.posts import make_posts
from tests.jobs.folders import kept_dir
from tests.models_app.bases.base_jobs import QUICK, ask, done, need_worker, training_of
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.conftest import import_posts
from tweets.corpora import learning
from tweets.corpora.errors import CorpusError

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_network")]


def test_a_training_ends_with_a_version_to_promote(admin: User, server: Path, base: TrainedModel) -> None:
    assert bases.post_files() == ["deep/train.txt", "valid.txt"]
    job = done(ask(admin))
    assert job.state == State.SUCCEEDED, job.error_message
    assert job.queue == "train" and not work_dir(job).exists()
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert (model.full_name, model.origin, model.job, model.is_base) == ("next", "trained", job, False)
    assert (model.parent, model.corpus) == (None, None)
    assert loading.load(model).network.kind == "glr"
    points = [event.payload for event in job.events.filter(kind="validation")]
    assert points and points[-1]["megabytes"] >= 0.02 and any(point["best"] for point in points)
    assert job.progress["fraction"] == 1.0
    assert model.training["validation"] == "valid.txt"
    assert versions.base_model() == base
    bases.promote(model, by=admin)
    assert versions.base_model() == model


def test_a_corpus_that_the_command_prepares_can_be_chosen(admin: User, server: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.txt"
    raw.write_text("\n".join(make_posts(200, seed=3)), encoding="utf-8")
    call_command("prepare_corpus", str(raw), "--out", str(server / "new"), "--processes", "1", stdout=io.StringIO())
    files = ["new/train.txt.gz", "new/validation.txt.gz"]
    assert set(files) <= set(bases.post_files())
    assert ask(admin, files=files[:1], validation=files[1]).arguments["files"] == files[:1]


def test_a_file_is_found_by_its_name_however_many_there_are(server: Path) -> None:
    for number in range(1001):
        (server / "deep" / f"{number:04}.txt").touch()
    (server / "last.txt").touch()
    assert bases.file_named("last.txt") == server / "last.txt"
    assert bases.post_files()[-2:] == ["last.txt", "valid.txt"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "deep",
        "notes.md",
        "missing.txt",
        "../secret.txt",
        "deep/../valid.txt",
        "deep//train.txt",
        "./valid.txt",
        ".hidden/train.txt",
        "/etc/motd.txt",
        "valid\0.txt",
        f"{'long' * 100}.txt",
    ],
)
def test_a_name_that_is_not_listed_is_no_file(server: Path, name: str) -> None:
    (server / ".hidden").mkdir()
    (server / ".hidden" / "train.txt").touch()
    with pytest.raises(bases.BaseError, match="There is no file"):
        bases.file_named(name)


def test_shares_of_names_and_hashtags_are_set_or_those_of_the_recipe(admin: User, server: Path) -> None:
    chosen = ask(admin, values={**QUICK, "new_names": 0.0, "new_tags": 1.0}).arguments["chosen"]
    assert (chosen["new_names"], chosen["new_tags"]) == (0.0, 1.0)
    usual = ask(admin).arguments["chosen"]
    assert (usual["new_names"], usual["new_tags"]) == (PretrainConfig().new_names, PretrainConfig().new_tags)
    with pytest.raises(bases.BaseError, match="new_names must be a number"):
        ask(admin, values={"new_names": 1.5})


def test_a_training_goes_on_from_a_base_and_learns_a_corpus(admin: User, server: Path, base: TrainedModel) -> None:
    corpus = import_posts(admin, count=300)
    job = ask(admin, files=[], validation="", corpus=corpus, start=base)
    assert job.arguments["chosen"]["learning_rate"] == PretrainConfig.auto("glr", continued=True).learning_rate
    assert job.arguments["network"] == base.network
    assert done(job).state == State.SUCCEEDED, job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert (model.parent, model.parent_name, model.corpus) == (base, "base", corpus)
    assert model.network == base.network and model.sha256 != base.sha256
    assert [file["file"] for file in model.training["corpus"]] == ["learned.txt"]
    posts = learning.training_posts(corpus)
    corpus.delete()
    guard = guards.guard_of(TrainedModel.objects.get(pk=model.pk))
    assert guard is not None and guard.is_copy(posts[0])


def test_what_cannot_be_trained_is_told(admin: User, alice: User, server: Path, base: TrainedModel) -> None:
    own = import_posts(admin, count=300)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"by": alice}, "Only an administrator"),
        ({"files": []}, "what to learn from"),
        ({"corpus": own}, "what to learn from"),
        ({"validation": ""}, "Choose a validation file"),
        ({"files": ["../secret.txt"]}, "no file ../secret.txt"),
        ({"files": ["notes.md"]}, "no file notes.md"),
        ({"validation": "deep/train.txt"}, "among the training files"),
        ({"budget": bases.Budget()}, "how long"),
        ({"budget": bases.Budget(1, 1)}, "how long"),
        ({"budget": bases.Budget(minutes=float("nan"))}, "how long"),
        ({"budget": bases.Budget(minutes=settings.JOB_TIME_LIMIT_MINUTES)}, "JOB_TIME_LIMIT_MINUTES"),
        ({"network": "transformer"}, "no network transformer"),
        ({"network": "lstm", "vocabulary": 512}, "kind glr only"),
        ({"vocabulary": 511}, "vocabulary must be a whole number from 512 to 65,536"),
        ({"vocabulary": 512, "start": base}, "keeps its vocabulary"),
        ({"values": {"batch_size": 0}}, "batch_size must be"),
        ({"values": {"batch_size": 1025, "sequence_length": 64}}, "can be at most 65,536"),
        ({"values": {"hands": 2}}, "no setting hands"),
    ]
    for changed, sentence in cases:
        with pytest.raises(bases.BaseError, match=sentence):
            ask(admin, **changed)
    with pytest.raises(CorpusError):
        ask(admin, files=[], corpus=import_posts(admin, count=1))
    assert not Job.objects.filter(kind=bases.TRAIN_BASE).exists()


def test_a_training_that_is_cancelled_goes_on_where_it_was_with_the_tokens_that_it_has_learned(
    admin: User, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {**QUICK, "validation_minutes": 0.001}
    job = ask(admin, budget=bases.Budget(megabytes=0.05), vocabulary=512, values=values)
    assert job.arguments["network"]["vocabulary"] == "bpe-of-512"
    claimed = worker.claim(job.pk)
    assert claimed is not None

    def after_the_first_point(kind: str, payload: dict[str, Any]) -> None:
        if kind == "validation":
            Job.objects.filter(pk=job.pk, state=State.RUNNING).update(state=State.CANCELLING)
            # The flag is read twice a second.
            time.sleep(1.2)

    worker.run_claimed(claimed, listener=after_the_first_point)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert (kept_dir(job) / "model" / ".training" / "state.safetensors").exists()
    seen = [event.payload["megabytes"] for event in job.events.filter(kind="validation")]
    assert 0 < seen[-1] < 0.05
    monkeypatch.setattr(vocabulary_learning, "learned", Mock(side_effect=AssertionError("learned again")))
    jobs.retry(job)
    assert done(job).state == State.SUCCEEDED, job.error_message
    every = [event.payload["megabytes"] for event in job.events.filter(kind="validation")]
    # It continued, so nothing was read twice.
    assert every == sorted(every) and every[: len(seen)] == seen and len(every) > len(seen)
    model = TrainedModel.objects.get(pk=job.result["model"])
    vocabulary = vocabulary_of(loading.load(model).network)
    assert vocabulary.size == 512 and vocabulary.name == model.network["vocabulary"]


def test_stopped_early_it_keeps_the_best(admin: User, server: Path) -> None:
    job = ask(admin, budget=bases.Budget(megabytes=50), values={**QUICK, "validation_minutes": 0.001})
    claimed = worker.claim(job.pk)
    assert claimed is not None

    def stop(kind: str, payload: dict[str, Any]) -> None:
        if kind == "validation" and not Job.objects.get(pk=job.pk).stop_requested:
            jobs.stop(job)

    worker.run_claimed(claimed, listener=stop)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.error_message
    assert TrainedModel.objects.get(pk=job.result["model"]).training["bytes_seen"] < 50e6


def _end_worker(waiting: Job) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("happens", "told"),
    [(_end_worker, "The worker stopped."), (need_worker, "Paused while people’s bots are trained.")],
)
def test_a_training_whose_worker_is_needed_or_told_to_end_is_put_back(
    happens: Callable[[Job], None], told: str, admin: User, alice: User, server: Path
) -> None:
    job = ask(admin, budget=bases.Budget(megabytes=50), values={**QUICK, "validation_minutes": 0.001})
    claimed = worker.claim(job.pk)
    assert claimed is not None
    waiting = training_of(alice)
    Job.objects.filter(pk=waiting.pk).update(available_at=timezone.now() + timedelta(hours=1))
    happened: list[bool] = []

    def happen(kind: str, payload: dict[str, Any]) -> None:
        if kind == "validation" and not happened:
            happened.append(True)
            happens(waiting)

    worker.run_claimed(claimed, listener=happen)
    job.refresh_from_db()
    assert job.state == State.QUEUED and job.progress["message"] == told
    assert (kept_dir(job) / "model" / ".training" / "state.safetensors").exists()
    # Waiting jobs go first, and then this one continues by itself.
    Job.objects.update(available_at=timezone.now())
    assert turns.line_of("train").ready == [waiting.pk, job.pk]
    assert [event.payload["message"] for event in job.events.filter(kind="waiting")] == [told]


def test_the_last_measuring_is_shown_and_gives_way_to_nobody(
    admin: User, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = worker.claim(ask(admin).pk)
    assert claimed is not None
    shown: list[dict[str, Any]] = []

    def note(kind: str, payload: dict[str, Any]) -> None:
        if kind == "progress":
            shown.append(payload)

    # Somebody waits for the worker as soon as it measures, which would have to begin again.
    monkeypatch.setattr(JobHandle, "should_yield", lambda _: bool(shown) and shown[-1]["phase"] == "validating")
    worker.run_claimed(claimed, listener=note)
    claimed.refresh_from_db()
    assert claimed.state == State.SUCCEEDED, claimed.error_message
    phases = list(dict.fromkeys(payload["phase"] for payload in shown))
    assert [phase for phase in phases if phase != "training"] == ["starting", "validating", "saving"]
    assert {"phase": "validating", "fraction": 0.0} in shown


def test_a_measuring_whose_worker_is_told_to_end_is_put_back_and_only_measures_again(admin: User, server: Path) -> None:
    job = ask(admin)
    claimed = worker.claim(job.pk)
    assert claimed is not None

    def end(kind: str, payload: dict[str, Any]) -> None:
        if payload.get("phase") == "validating":
            os.kill(os.getpid(), signal.SIGTERM)

    worker.run_claimed(claimed, listener=end)
    job.refresh_from_db()
    assert (job.state, job.progress["message"]) == (State.QUEUED, "The worker stopped.")
    points = job.events.filter(kind="validation").count()
    Job.objects.update(available_at=timezone.now())
    job = done(job)
    assert job.state == State.SUCCEEDED, job.error_message
    assert job.events.filter(kind="validation").count() == points
    assert TrainedModel.objects.get(pk=job.result["model"]).training["sample"] is False


def test_who_is_no_administrator_any_more_trains_nothing(admin: User, server: Path) -> None:
    trained, measured = ask(admin), bases.evaluate(by=admin, models=list(bases.all_versions()), file="valid.txt")
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert [done(job).error_code for job in (trained, measured)] == ["not_allowed", "not_allowed"]


def test_a_fluent_base_is_trained_further(admin: User, server: Path, fluent: TrainedModel) -> None:
    values = {"sequence_length": 32, "warmup_steps": 1, "learning_rate": 0.01}
    job = done(ask(admin, start=fluent, values=values, budget=bases.Budget(megabytes=0.002)))
    assert job.state == State.SUCCEEDED, job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert (model.tier, model.parent, model.network) == ("fluent", fluent, fluent.network)
    assert model.sha256 != fluent.sha256 and model.bits_per_character
    bases.promote(model, by=admin)
    assert versions.base_model(Tier.FLUENT) == model
