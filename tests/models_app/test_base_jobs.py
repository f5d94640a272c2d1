"""Jobs train and evaluate base models: only for administrators; interrupted, resumed, stopped."""

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
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import turns, worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app import guards, loading, model_files, registry, trainings
from models_app.base_models import services as bases
from models_app.base_models import versions
from models_app.ml.config import PretrainConfig
from models_app.ml.evaluation import evaluation
from models_app.ml.training import dataset
from models_app.ml.vocabulary import learning as vocabulary_learning
from models_app.ml.vocabulary import vocabulary_of
from models_app.models import Tier, TrainedModel
from tests.fakes.posts import make_posts
from tests.jobs.folders import kept_dir
from tests.models_app.base_jobs import QUICK, ask, done
from tests.models_app.base_jobs import server as server
from tests.models_app.base_jobs import small_network as small_network
from tests.models_app.conftest import import_posts
from tests.models_app.shared_bot import make_bot
from tests.product import save_small_base
from tweets import deletion, learning, opt_out
from tweets.errors import CorpusError
from tweets.models import Corpus, OptOut

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_network")]

JANE = ("bluesky", "jane.bsky.social")


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


def of_jane(owner: User) -> Corpus:
    """Return posts of a Bluesky account."""
    corpus = import_posts(owner, count=300)
    Corpus.objects.filter(pk=corpus.pk).update(source="bluesky", network="bluesky", handle=JANE[1], basis="public")
    corpus.refresh_from_db()
    return corpus


def during(job: Job, happen: Callable[[], Any]) -> None:
    """Run the training, and let something happen at its first validation."""
    claimed = worker.claim(job.pk)
    assert claimed is not None
    happened: list[bool] = []

    def listen(kind: str, payload: dict[str, Any]) -> None:
        if kind == "validation" and not happened:
            happened.append(True)
            happen()

    worker.run_claimed(claimed, listener=listen)
    assert happened


def test_an_opt_out_finds_a_version_that_learned_the_account_though_the_corpus_is_gone(
    admin: User, alice: User, server: Path, base: TrainedModel
) -> None:
    corpus = of_jane(admin)
    job = done(ask(admin, files=[], validation="", corpus=corpus, start=base))
    version = TrainedModel.objects.get(pk=job.result["model"])
    assert version.learned_accounts == [list(JANE)]
    deletion.delete_corpus(corpus, by=admin)
    child = make_bot(import_posts(alice), version)
    assert child.learned_accounts == [list(JANE)]
    assert opt_out.losses(*JANE).made["bots"] == 2
    opt_out.add(network=JANE[0], handle=JANE[1], by=admin)
    assert list(TrainedModel.objects.all()) == [base]
    assert not model_files.path_of(version).exists() and not model_files.path_of(child).exists()


def test_a_training_makes_no_version_of_an_account_that_opts_out_meanwhile(
    admin: User, server: Path, base: TrainedModel
) -> None:
    job = ask(admin, files=[], validation="", corpus=of_jane(admin), start=base)
    # The entry is there, and its deletion has been interrupted.
    during(job, lambda: OptOut.objects.create(network=JANE[0], handle=JANE[1], by=admin))
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "opted_out")
    assert list(TrainedModel.objects.all()) == [base]
    assert [path.name for path in (Path(settings.CHECKPOINTS_DIR) / "bases").iterdir()] == [str(base.pk)]


@pytest.mark.parametrize("how", ["deletion", "opt-out"])
def test_with_its_posts_a_training_is_deleted_and_its_copies_of_them(
    admin: User, server: Path, base: TrainedModel, how: str
) -> None:
    corpus = of_jane(admin)
    job = ask(admin, files=[], validation="", corpus=corpus, start=base)
    left: list[list[Path]] = []

    def gone() -> None:
        left.append(list(work_dir(job).rglob("learned.txt")))
        if how == "deletion":
            deletion.delete_corpus(corpus, by=admin)
        else:
            opt_out.add(network=JANE[0], handle=JANE[1], by=admin)
        left.append(list(work_dir(job).rglob("learned.txt")))

    during(job, gone)
    assert len(left[0]) == 1 and left[1] == [] and not list(work_dir(job).rglob("learned.txt"))
    assert not Job.objects.filter(pk=job.pk).exists() and list(TrainedModel.objects.all()) == [base]


def test_a_training_whose_start_is_deleted_meanwhile_still_makes_a_version(
    admin: User, server: Path, base: TrainedModel
) -> None:
    first = TrainedModel.objects.get(pk=done(ask(admin)).result["model"])
    job = ask(admin, name="second", start=first)
    during(job, lambda: registry.delete(first))
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.error_message
    second = TrainedModel.objects.get(pk=job.result["model"])
    assert (second.parent, second.parent_name) == (None, "next")


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


def training_of(person: User) -> Job:
    """Queue a training of a bot."""
    return trainings.fine_tune(owner=person, corpus=import_posts(person), start=versions.base_model())


def _end_worker(waiting: Job) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _need_worker(waiting: Job) -> None:
    """Make somebody's training ready for so long that no worker can be free."""
    Job.objects.filter(pk=waiting.pk).update(available_at=timezone.now() - timedelta(minutes=1))


@pytest.mark.parametrize(
    ("happens", "told"),
    [(_end_worker, "The worker stopped."), (_need_worker, "Paused while people’s bots are trained.")],
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


def test_who_is_no_administrator_any_more_trains_nothing(admin: User, server: Path) -> None:
    trained, measured = ask(admin), bases.evaluate(by=admin, models=list(bases.all_versions()), file="valid.txt")
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert [done(job).error_code for job in (trained, measured)] == ["not_allowed", "not_allowed"]


def test_models_are_measured_side_by_side(admin: User, server: Path, base: TrainedModel) -> None:
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    newer = versions.base_model()
    job = bases.evaluate(by=admin, models=[base, newer], file="valid.txt")
    assert done(job).state == State.SUCCEEDED, job.error_message
    posts = list(dataset.stream_posts([server / "valid.txt"]))
    expected = {
        str(model.pk): round(evaluation.evaluate(loading.load(model), posts).bits_per_character, 5)
        for model in (base, newer)
    }
    rows = job.result["models"]
    assert {row["model"]: row["bits_per_character"] for row in rows} == expected
    assert rows == sorted(rows, key=lambda row: row["bits_per_character"])
    assert rows[0]["posts"] == 60 and job.result["file"] == "valid.txt"
    assert [event.payload for event in job.events.filter(kind="measured")] == sorted(
        rows, key=lambda row: [str(base.pk), str(newer.pk)].index(row["model"])
    )


def test_an_uploaded_file_is_measured_on_and_then_gone(admin: User, server: Path, base: TrainedModel) -> None:
    uploaded = io.BytesIO("\n".join(make_posts(20, seed=3)).encode())
    job = bases.evaluate(by=admin, models=[base], uploaded=uploaded, file_name="C:\\mine.txt")
    assert done(job).state == State.SUCCEEDED, job.error_message
    assert job.result["models"][0]["posts"] == 20 and not work_dir(job).exists()


def test_what_was_measured_is_not_measured_again(admin: User, server: Path, base: TrainedModel) -> None:
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    newer = versions.base_model()
    job = bases.evaluate(by=admin, models=[base, newer], file="valid.txt")
    model_files.path_of(newer).rename(model_files.path_of(newer).with_name("aside"))
    assert done(job).state == State.FAILED and job.error_code == "checkpoint_damaged"
    model_files.path_of(newer).with_name("aside").rename(model_files.path_of(newer))
    model_files.path_of(base).rename(model_files.path_of(base).with_name("aside"))
    jobs.retry(job)
    assert done(job).state == State.SUCCEEDED and len(job.result["models"]) == 2
    assert job.events.filter(kind="measured").count() == 2


def test_between_two_models_an_evaluation_gives_way(
    admin: User, alice: User, server: Path, base: TrainedModel, settings: Any
) -> None:
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    job = bases.evaluate(by=admin, models=[base, versions.base_model()], file="valid.txt")
    claimed = worker.claim(job.pk)
    assert claimed is not None
    waiting = training_of(alice)
    _need_worker(waiting)

    def look(kind: str, payload: dict[str, Any]) -> None:
        if kind == "measured":
            time.sleep(2)  # it looks twice a second

    worker.run_claimed(claimed, listener=look)
    job.refresh_from_db()
    assert job.state == State.QUEUED and job.events.filter(kind="measured").count() == 1
    assert turns.line_of("train").ready == [waiting.pk, job.pk]
    jobs.cancel(waiting)
    assert done(job).state == State.SUCCEEDED and len(job.result["models"]) == 2


def test_what_cannot_be_measured_is_told(admin: User, alice: User, server: Path, base: TrainedModel) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"by": alice}, "Only an administrator"),
        ({"models": []}, "Choose 1 to"),
        ({"file": ""}, "posts to compare on"),
        ({"uploaded": io.BytesIO(b"x"), "file_name": "a.txt"}, "posts to compare on"),
        ({"file": "../secret.txt"}, "no file"),
        ({"file": "", "uploaded": io.BytesIO(b"x"), "file_name": "a.zip"}, "t a file of posts"),
    ]
    for changed, sentence in cases:
        asked: dict[str, Any] = {"by": admin, "models": [base], "file": "valid.txt"}
        with pytest.raises(bases.BaseError, match=sentence):
            bases.evaluate(**(asked | changed))
    assert not Job.objects.filter(kind=bases.EVALUATE_BASES).exists()
    empty = bases.evaluate(by=admin, models=[base], uploaded=io.BytesIO(b"\n"), file_name="a.txt")
    assert done(empty).error_code == "too_few_posts"
    binary = bases.evaluate(by=admin, models=[base], uploaded=io.BytesIO(b"\xff\xfe"), file_name="a.txt")
    assert "not UTF-8" in done(binary).error_message


def test_a_fluent_base_is_trained_further(admin: User, server: Path, fluent: TrainedModel) -> None:
    values = {"sequence_length": 32, "warmup_steps": 1, "learning_rate": 0.01}
    job = done(ask(admin, start=fluent, values=values, budget=bases.Budget(megabytes=0.002)))
    assert job.state == State.SUCCEEDED, job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert (model.tier, model.parent, model.network) == ("fluent", fluent, fluent.network)
    assert model.sha256 != fluent.sha256 and model.bits_per_character
    bases.promote(model, by=admin)
    assert versions.base_model(Tier.FLUENT) == model
