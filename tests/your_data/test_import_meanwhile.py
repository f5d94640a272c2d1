"""A ZIP that is imported while its owner deletes and uses what came, or again after a failure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.your_data import importing
from models_app.bots import files as model_files
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from models_app.sharing import tags
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.rows import Generation
from models_app.your_data import bots, restoring
from tests.conftest import signed_in
from tests.your_data.zips import Files, imported, zipped
from tests.your_data.zips import files as files
from tweets.cleaning import CleaningRules
from tweets.corpora import deletion, idle
from tweets.corpora import services as corpora
from tweets.corpora import your_data as moving
from tweets.corpora.clean_corpus import clean
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_another_attempt_adds_nothing_twice(bob: User, files: Files) -> None:
    job = imported(bob, zipped(files))
    Job.objects.filter(pk=job.pk).update(state=State.FAILED)
    folder = Path(settings.JOBS_DIR) / str(job.pk)
    folder.mkdir(parents=True)
    (folder / importing.FILE).write_bytes(zipped(files).read())
    jobs.retry(job)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
    counts = [rows.objects.filter(owner=bob).count() for rows in (Corpus, TrainedModel, KeptPost, Generation)]
    assert counts == [1, 1, 2, 1] and Corpus.objects.get().posts.count() == Corpus.objects.get().posts_found == 300


def test_a_corpus_whose_restoring_was_interrupted_is_marked_as_failed(bob: User, files: Files) -> None:
    job = importing.submit(owner=bob, file=zipped(files))
    number = importing.number_in(job, uuid.UUID(job.arguments["corpora"][0]))
    half = Corpus.objects.create(pk=number, owner=bob, name="Posts", source="text")
    jobs.cancel(job)
    half.refresh_from_db()
    assert half.state == Corpus.State.FAILED
    assert signed_in(bob).get(f"/corpora/{half.pk}/").status_code == 200
    jobs.retry(job)
    worker.run(job.pk)
    half.refresh_from_db()
    assert half.is_ready and half.posts_found == 300


def test_what_was_restored_is_its_owners_while_the_import_is_tried_again(
    bob: User, base: TrainedModel, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: Any, **__: Any) -> None:
        raise OSError(ENOSPC, "No space left on device")

    job = importing.submit(owner=bob, file=zipped(files))
    with monkeypatch.context() as full:
        full.setattr(bots, "restore", no_room)
        worker.run(job.pk)
    corpus = Corpus.objects.get(owner=bob)
    assert corpus.is_ready and not TrainedModel.objects.filter(owner=bob).exists()
    # Its owner cleans the posts again, with other rules.
    cleaning = corpora.reclean(corpus, CleaningRules(mask_personal=False))
    for _ in range(2):
        Job.objects.filter(pk=job.pk).update(state=State.QUEUED, available_at=timezone.now())
        with monkeypatch.context() as full:
            full.setattr(bots, "restore", no_room)
            worker.run(job.pk)
        corpus.refresh_from_db()
        assert not corpus.is_ready and idle.busy_jobs(corpus).exists()
    jobs.cancel(job)
    corpus.refresh_from_db()
    assert corpus.state == Corpus.State.IMPORTING
    worker.run(cleaning.pk)
    jobs.retry(job)
    worker.run(job.pk)
    job.refresh_from_db()
    corpus.refresh_from_db()
    assert job.state == State.SUCCEEDED and corpus.is_ready and not corpus.cleaning_rules.mask_personal
    assert TrainedModel.objects.get(owner=bob).corpus == corpus


def test_posts_that_their_owner_deletes_while_they_are_restored_are_left_out(
    bob: User, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean_the_deleted(corpus: Corpus, fenced: Any) -> Iterator[float]:
        deletion.delete_corpus(corpus, by=bob)
        yield from clean(corpus, fenced=fenced)

    monkeypatch.setattr(moving, "clean", clean_the_deleted)
    job = imported(bob, zipped(files))
    assert job.state == State.SUCCEEDED, job.error_message
    why = {entry["name"]: entry["why"] for entry in job.result["left_out"]}
    assert why == {"Posts": "These posts have been deleted.", "Bot": "The posts that it learned from were left out."}


def test_a_bot_whose_posts_its_owner_deletes_meanwhile_comes_back_without_them(bob: User, files: Files) -> None:
    def delete_before_bots(kind: str, told: dict[str, Any]) -> None:
        for corpus in Corpus.objects.filter(owner=bob, state=Corpus.State.READY):
            deletion.delete_corpus(corpus, by=bob)

    job = importing.submit(owner=bob, file=zipped(files), run_here=True)
    worker.run_claimed(job, listener=delete_before_bots)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED and job.result["left_out"] == []
    model = TrainedModel.objects.get(owner=bob)
    assert (model.corpus, model.corpus_name) == (None, "Posts")


@pytest.mark.parametrize(("name", "of"), [("generations", "_generation"), ("kept", "_kept")])
def test_what_a_bot_wrote_that_its_owner_deletes_meanwhile_is_left_out(
    bob: User, files: Files, monkeypatch: pytest.MonkeyPatch, name: str, of: str
) -> None:
    def read_and_delete(line: Any) -> Any:
        for model in TrainedModel.objects.filter(owner=bob):
            registry.delete(model)
        return read(line)

    read = getattr(restoring, of)
    monkeypatch.setattr(restoring, of, read_and_delete)
    job = imported(bob, zipped(files))
    assert job.state == State.SUCCEEDED, job.error_message
    assert job.result[f"{name}_left_out"] == len(files[f"{name}.jsonl"].splitlines())
    assert not Generation.objects.filter(owner=bob).exists()


def test_a_full_disk_delays_the_import_and_leaves_no_bot_out(
    bob: User, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = model_files.staging

    @contextmanager
    def on_a_full_disk(path: Path, job: Job) -> Iterator[Path]:
        with staging(path, job) as staged:
            (staged / "weights.safetensors").symlink_to("/dev/full")
            yield staged

    job = importing.submit(owner=bob, file=zipped(files))
    with monkeypatch.context() as full:
        full.setattr(model_files, "staging", on_a_full_disk)
        worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.QUEUED and not TrainedModel.objects.filter(owner=bob).exists()
    assert job.events.get(kind="waiting").payload["cause"] == "disk"
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED and job.result["left_out"] == []
    assert TrainedModel.objects.filter(owner=bob).exists()


def test_tags_that_their_owner_has_set_meanwhile_stay(bob: User, base: TrainedModel, files: Files) -> None:
    job = imported(bob, zipped(files))
    bot = TrainedModel.objects.get(owner=bob)
    tags.set_tags(bot, ["mine", "new"])
    Job.objects.filter(pk=job.pk).update(state=State.FAILED)
    folder = work_dir(job)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / importing.FILE).write_bytes(zipped(files).read())
    jobs.retry(job)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED and tags.of(TrainedModel.objects.get(pk=bot.pk)) == ["mine", "new"]


@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_a_killed_attempt_was_restoring_goes_with_the_job(bob: User, files: Files, is_deleted: bool) -> None:
    job = importing.submit(owner=bob, file=zipped(files))
    number = importing.number_in(job, uuid.UUID(job.arguments["bots"][0]))
    left = Path(settings.CHECKPOINTS_DIR) / "users" / str(bob.pk) / f".{number}.attempt-1"
    left.mkdir(parents=True)
    (left / model_files.CONTEXT).write_text('["a post"]')
    Job.objects.filter(pk=job.pk).update(state=State.FAILED if is_deleted else State.INTERRUPTED, attempt=1)
    job.refresh_from_db()
    if is_deleted:
        jobs.delete_jobs(Job.objects.filter(pk=job.pk))
    else:
        jobs.cancel(job)
    assert not left.exists()
