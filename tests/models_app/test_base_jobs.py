"""Base models are trained and measured by jobs: of administrators alone, interrupted, resumed, stopped."""

from __future__ import annotations

import io
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import turns, worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app import bases, registry
from models_app.ml import config as ml_config
from models_app.ml import dataset, evaluation
from models_app.ml.config import NetworkConfig, PretrainConfig
from models_app.models import TrainedModel
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.models_app.conftest import import_posts
from tests.product import save_small_base
from tweets.errors import CorpusError

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = {"batch_size": 8, "warmup_steps": 2}


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training from nothing takes seconds."""
    glr = NetworkConfig(kind="glr", embedding=4, units=8, layers=2)
    small = {"glr": glr, "lstm": NetworkConfig(embedding=4, units=8)}
    monkeypatch.setattr(ml_config, "NETWORKS", small)
    monkeypatch.setattr(bases, "NETWORKS", small)


@pytest.fixture
def server(base: TrainedModel, settings: Any, tmp_path: Path) -> Iterator[Path]:
    """Files of posts on the server."""
    settings.TRAINING_DIR = tmp_path / "training"
    (tmp_path / "training" / "deep").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("not yours")
    (tmp_path / "training" / "deep" / "train.txt").write_text("\n".join(make_posts(200, seed=1)), encoding="utf-8")
    (tmp_path / "training" / "valid.txt").write_text("\n".join(make_posts(60, seed=2)), encoding="utf-8")
    (tmp_path / "training" / "notes.md").write_text("no posts")
    yield tmp_path / "training"


def ask(admin: User, **changed: Any) -> Job:
    asked: dict[str, Any] = {
        "by": admin,
        "name": "next",
        "budget": bases.Budget(megabytes=0.02),
        "files": ["deep/train.txt"],
        "validation": "valid.txt",
        "values": QUICK,
    }
    return bases.train(**(asked | changed))


def done(job: Job) -> Job:
    worker.run(job.pk)
    job.refresh_from_db()
    return job


def test_a_training_ends_with_a_version_to_promote(admin: User, server: Path, base: TrainedModel) -> None:
    assert bases.post_files() == ["deep/train.txt", "valid.txt"]
    job = done(ask(admin))
    assert job.state == State.SUCCEEDED, job.error_message
    assert job.queue == "train" and not work_dir(job).exists()
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert (model.full_name, model.origin, model.job, model.is_base) == ("next", "trained", job, False)
    assert (model.parent, model.corpus) == (None, None)
    assert registry.load(model).network.kind == "glr"
    points = [event.payload for event in job.events.filter(kind="validation")]
    assert points and points[-1]["megabytes"] >= 0.02 and any(point["best"] for point in points)
    assert job.progress["fraction"] == 1.0
    assert model.training["validation"] == "valid.txt"
    assert registry.base_model() == base
    bases.promote(model, by=admin)
    assert registry.base_model() == model


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
    assert job.arguments["chosen"]["learning_rate"] == bases.CONTINUED_RATE
    assert job.arguments["network"] == base.network
    assert done(job).state == State.SUCCEEDED, job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert (model.parent, model.parent_name, model.corpus) == (base, "base", corpus)
    assert model.network == base.network and model.sha256 != base.sha256
    assert [file["file"] for file in model.training["corpus"]] == ["learned.txt"]


def test_what_cannot_be_trained_is_told(admin: User, alice: User, server: Path, base: TrainedModel) -> None:
    own = import_posts(admin, count=300)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"by": alice}, "Only an administrator"),
        ({"files": []}, "what to learn from"),
        ({"corpus": own}, "what to learn from"),
        ({"validation": ""}, "file to measure on"),
        ({"files": ["../secret.txt"]}, "no file ../secret.txt"),
        ({"files": ["notes.md"]}, "no file notes.md"),
        ({"validation": "deep/train.txt"}, "learned from"),
        ({"budget": bases.Budget()}, "how long"),
        ({"budget": bases.Budget(1, 1)}, "how long"),
        ({"budget": bases.Budget(minutes=float("nan"))}, "how long"),
        ({"budget": bases.Budget(minutes=settings.JOB_TIME_LIMIT_MINUTES)}, "JOB_TIME_LIMIT_MINUTES"),
        ({"network": "transformer"}, "no network transformer"),
        ({"values": {"batch_size": 0}}, "batch_size must be"),
        ({"values": {"hands": 2}}, "hands cannot be set"),
    ]
    for changed, sentence in cases:
        with pytest.raises(bases.BaseError, match=sentence):
            ask(admin, **changed)
    with pytest.raises(CorpusError):
        ask(admin, files=[], corpus=import_posts(admin, count=1))
    assert not Job.objects.filter(kind=bases.TRAIN_BASE).exists()


def test_a_training_that_is_cancelled_goes_on_where_it_was(admin: User, server: Path) -> None:
    job = ask(admin, budget=bases.Budget(megabytes=0.05), values={**QUICK, "validation_minutes": 0.001})
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
    assert (work_dir(job) / "model" / ".training" / "state.safetensors").exists()
    seen = [event.payload["megabytes"] for event in job.events.filter(kind="validation")]
    assert 0 < seen[-1] < 0.05
    jobs.retry(job)
    assert done(job).state == State.SUCCEEDED, job.error_message
    every = [event.payload["megabytes"] for event in job.events.filter(kind="validation")]
    # It went on: nothing was read twice.
    assert every == sorted(every) and every[: len(seen)] == seen and len(every) > len(seen)


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


def _need_worker(waiting: Job) -> None:
    """Somebody's training has been ready for so long that no worker can be free."""
    Job.objects.filter(pk=waiting.pk).update(available_at=timezone.now() - timedelta(minutes=1))


@pytest.mark.parametrize(
    ("happens", "told"), [(_end_worker, "The worker stopped."), (_need_worker, "Trainings of bots go first.")]
)
def test_a_training_whose_worker_is_needed_or_told_to_end_is_put_back(
    happens: Callable[[Job], None], told: str, admin: User, server: Path, settings: Any
) -> None:
    settings.JOB_HEARTBEAT_SECONDS = 1
    job = ask(admin, budget=bases.Budget(megabytes=50), values={**QUICK, "validation_minutes": 0.001})
    claimed = worker.claim(job.pk)
    assert claimed is not None
    waiting = bases.evaluate(by=admin, models=list(bases.versions()), file="valid.txt")
    happened: list[bool] = []

    def happen(kind: str, payload: dict[str, Any]) -> None:
        if kind == "validation" and not happened:
            happened.append(True)
            happens(waiting)

    worker.run_claimed(claimed, listener=happen)
    job.refresh_from_db()
    assert job.state == State.QUEUED and job.progress["message"] == told
    assert (work_dir(job) / "model" / ".training" / "state.safetensors").exists()
    # Whoever waits goes first, and then this one goes on by itself.
    assert turns.line_of("train").ready == [waiting.pk, job.pk]
    assert [event.payload["message"] for event in job.events.filter(kind="waiting")] == [told]


def test_who_is_no_administrator_any_more_trains_nothing(admin: User, server: Path) -> None:
    trained, measured = ask(admin), bases.evaluate(by=admin, models=list(bases.versions()), file="valid.txt")
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert [done(job).error_code for job in (trained, measured)] == ["not_allowed", "not_allowed"]


def test_models_are_measured_side_by_side(admin: User, server: Path, base: TrainedModel) -> None:
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    newer = registry.base_model()
    job = bases.evaluate(by=admin, models=[base, newer], file="valid.txt")
    assert done(job).state == State.SUCCEEDED, job.error_message
    posts = list(dataset.stream_posts([server / "valid.txt"]))
    expected = {
        str(model.pk): round(evaluation.evaluate(registry.load(model), posts).bits_per_character, 5)
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
    newer = registry.base_model()
    job = bases.evaluate(by=admin, models=[base, newer], file="valid.txt")
    registry.path_of(newer).rename(registry.path_of(newer).with_name("aside"))
    assert done(job).state == State.FAILED and job.error_code == "checkpoint_damaged"
    registry.path_of(newer).with_name("aside").rename(registry.path_of(newer))
    registry.path_of(base).rename(registry.path_of(base).with_name("aside"))
    jobs.retry(job)
    assert done(job).state == State.SUCCEEDED and len(job.result["models"]) == 2
    assert job.events.filter(kind="measured").count() == 2


def test_what_cannot_be_measured_is_told(admin: User, alice: User, server: Path, base: TrainedModel) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"by": alice}, "Only an administrator"),
        ({"models": []}, "Choose 1 to"),
        ({"file": ""}, "posts to measure on"),
        ({"uploaded": io.BytesIO(b"x"), "file_name": "a.txt"}, "posts to measure on"),
        ({"file": "../secret.txt"}, "no file"),
        ({"file": "", "uploaded": io.BytesIO(b"x"), "file_name": "a.zip"}, "not one of posts"),
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


# The pages


PAGES = ["/admin/base-models/", *(f"/admin/base-models/{name}" for name in ("upload", "train", "evaluate"))]


def posts_to(base: TrainedModel) -> list[str]:
    acts = [f"/admin/base-models/{base.pk}/{act}" for act in ("promote", "retire", "bring_back")]
    return [*acts, "/admin/base-models/roll_back"]


def test_the_pages_are_for_administrators(
    charlie: Client, alice: User, bob: User, admin: User, base: TrainedModel
) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    for client in (charlie, signed_in(alice)):
        assert {client.get(page).status_code for page in PAGES} == {302}
        assert {client.post(page).status_code for page in posts_to(base)} == {302}
    staff = signed_in(bob)
    assert {staff.get(page).status_code for page in PAGES} == {403}
    assert {staff.post(page).status_code for page in posts_to(base)} == {403}
    bob.user_permissions.set(Permission.objects.filter(codename="view_trainedmodel"))
    staff = signed_in(bob)
    assert [staff.get(page).status_code for page in PAGES] == [200, 403, 403, 403]
    assert "Promote" not in staff.get(PAGES[0]).content.decode()
    assert {staff.post(page).status_code for page in [*PAGES[1:], *posts_to(base)]} == {403}
    desk = signed_in(admin)
    assert {desk.get(page).status_code for page in PAGES} == {200}
    assert {desk.get(page).status_code for page in posts_to(base)} == {405}
    base.refresh_from_db()
    assert base.is_base and base.retired_at is None


def test_the_page_promotes_retires_and_rolls_back(admin: User, base: TrainedModel) -> None:
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    newer = registry.base_model()
    desk = signed_in(admin)

    def act(path: str) -> str:
        return desk.post(f"/admin/base-models/{path}", follow=True).content.decode()

    assert "Roll back to base" in desk.get("/admin/base-models/").content.decode()
    assert "New bots start from base now" in act(f"{base.pk}/promote")
    assert registry.base_model() == base
    assert "is the base model already" in act(f"{base.pk}/promote")
    assert "cannot be retired" in act(f"{base.pk}/retire")
    assert "Nobody starts from base 2 any more" in act(f"{newer.pk}/retire")
    assert "no other base model" in act("roll_back")
    assert "back from retirement" in act(f"{newer.pk}/bring_back")
    assert "start from base 2 again" in act("roll_back")
    assert registry.base_model() == newer
    for nowhere in (uuid.uuid4(), f"{admin.pk:036}"):
        assert desk.post(f"/admin/base-models/{nowhere}/promote").status_code == 404
    page = desk.get("/admin/base-models/").content.decode()
    assert "Rolled back" in page and "Came with the product" in page
    ours = page[page.index('id="content-main"') : page.index('id="footer"')]
    assert "<script" not in ours and "style=" not in ours and "onclick" not in ours


@pytest.mark.parametrize("page", ["train", "evaluate"])
def test_the_base_that_came_along_can_be_chosen_before_anybody_has_used_it(
    page: str, admin: User, server: Path, base: TrainedModel
) -> None:
    TrainedModel.objects.all().delete()
    answer = signed_in(admin).get(f"/admin/base-models/{page}").content.decode()
    assert f'value="{TrainedModel.objects.get().pk}"' in answer


def test_the_page_queues_trainings_and_evaluations(admin: User, bob: User, server: Path, base: TrainedModel) -> None:
    desk = signed_in(admin)
    form: dict[str, Any] = {"name": "next", "validation": "valid.txt", "network": "glr", "megabytes": "0.02"}
    form["learn_from"] = ["deep/train.txt"]
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"megabytes": ""}, "how long"),
        ({"learn_from": ["../secret.txt"]}, "not one of the available choices"),
        ({"start": str(bob.pk)}, "not one of the available choices"),
        ({"batch_size": "0"}, "greater than or equal to 1"),
        ({"new_tags": "2"}, "less than or equal to 1"),
    ]
    for wrong, sentence in wrongs:
        answer = desk.post("/admin/base-models/train", form | wrong)
        assert answer.status_code == 400 and sentence in answer.content.decode(), wrong
    answer = desk.post("/admin/base-models/train", form | {"batch_size": "8", "new_names": "0.5"})
    job = Job.objects.get(kind=bases.TRAIN_BASE)
    assert (job.arguments["chosen"]["batch_size"], job.arguments["chosen"]["new_names"]) == (8, 0.5)
    assert answer.status_code == 302 and answer["Location"] == f"/jobs/{job.pk}/"
    page = desk.get(answer["Location"]).content.decode()
    assert "js/base-training.js" in page and 'data-unit="megabytes" data-budget="0.02"' in page
    assert signed_in(bob).get(f"/jobs/{job.pk}/").status_code == 404
    upload = SimpleUploadedFile("mine.txt", "\n".join(make_posts(20, seed=3)).encode())
    answer = desk.post("/admin/base-models/evaluate", {"models": [str(base.pk)], "upload": upload})
    measured = Job.objects.get(kind=bases.EVALUATE_BASES)
    assert answer.status_code == 302 and "js/base-evaluation.js" in desk.get(answer["Location"]).content.decode()
    assert desk.post("/admin/base-models/evaluate", {"models": [str(base.pk)]}).status_code == 400
    done(measured)
    # Another administrator finds both, and watches them in the administration.
    other = User.objects.create_superuser(username="other")
    page = signed_in(other).get("/admin/base-models/").content.decode()
    assert f"/admin/jobs/job/{job.pk}/change/" in page and f"/admin/jobs/job/{measured.pk}/change/" in page
    assert f"{measured.result['models'][0]['bits_per_character']:.3f}" in page
