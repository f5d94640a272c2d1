"""Base models are measured side by side, as a job."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import turns, worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bases import services as bases
from models_app.bots import files, loading, versions
from models_app.bots.rows import TrainedModel
from models_app.ml.evaluation import evaluation
from models_app.ml.training import dataset
from tests.fakes.posts import make_posts
from tests.models_app.bases.base_jobs import done, need_worker, training_of
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.product import save_small_base

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_network")]


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
    files.path_of(newer).rename(files.path_of(newer).with_name("aside"))
    assert done(job).state == State.FAILED and job.error_code == "checkpoint_damaged"
    files.path_of(newer).with_name("aside").rename(files.path_of(newer))
    files.path_of(base).rename(files.path_of(base).with_name("aside"))
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
    need_worker(waiting)

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
