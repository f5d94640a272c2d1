"""Files that belong to rows exist exactly as long as the rows."""

from __future__ import annotations

import io
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.management.base import CommandError
from django.db import connection, transaction

from botfactory.accounts import services as accounts
from botfactory.accounts.models import User
from botfactory.jobs import kinds
from botfactory.jobs import services as jobs
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.ops.management.commands import run
from models_app.bases import services as bases
from models_app.bots import files, registry
from models_app.bots.rows import TrainedModel
from models_app.pages import made_from
from tests.models_app.conftest import base as base
from tests.models_app.conftest import import_posts, untrained
from tests.models_app.shared_bot import make_bot
from tweets.corpora import deletion, opt_out, services, uploads
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.fixture(autouse=True)
def folders_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"


class _NotAfterAll(Exception):
    pass


@contextmanager
def taken_back() -> Iterator[None]:
    """An outer transaction, as in a page of the administration, that is rolled back."""
    with pytest.raises(_NotAfterAll), transaction.atomic():
        yield
        raise _NotAfterAll


@pytest.fixture
def brought(alice: User) -> Corpus:
    """A corpus with an upload, and a job with saved work."""
    job = services.import_text(owner=alice, text="one\ntwo\n", basis="permission")
    Corpus.objects.update(handle="town.example")
    work_dir(job).mkdir(parents=True)
    (work_dir(job) / "kept").write_text("half", encoding="utf-8")
    return Corpus.objects.get()


def files_of(corpus: Corpus) -> set[Path]:
    jobs_of_it = Job.objects.filter(subject_id=corpus.pk)
    places = [uploads.folder_of(corpus), *map(work_dir, jobs_of_it)]
    places += [files.path_of(model) for model in TrainedModel.objects.filter(owner=corpus.owner)]
    return {path for place in places for path in place.rglob("*") if path.is_file()}


DELETIONS: dict[str, Callable[[Corpus], object]] = {
    "corpus": lambda corpus: deletion.delete_corpus(corpus, by=corpus.owner),
    "jobs": lambda corpus: jobs.delete_jobs(Job.objects.filter(subject_id=corpus.pk)),
    "bots": lambda corpus: made_from.delete([corpus.pk]),
    "opt-out": lambda corpus: opt_out.add(network="bluesky", handle="town.example", by=corpus.owner),
    "account": lambda corpus: accounts.delete_account(corpus.owner),
}


@pytest.mark.parametrize("what", DELETIONS)
def test_a_deletion_that_is_rolled_back_has_removed_no_file(what: str, brought: Corpus, base: TrainedModel) -> None:
    Corpus.objects.filter(pk=brought.pk).update(source="bluesky", state="ready", characters=10_000)
    untrained(Corpus.objects.get(pk=brought.pk), base)
    before = files_of(brought)
    assert len(before) >= 5
    with taken_back():
        DELETIONS[what](brought)
    assert files_of(brought) == before and Corpus.objects.filter(pk=brought.pk).exists()
    DELETIONS[what](brought)
    assert {path for path in before if path.exists()} < before


def test_a_bot_that_is_finished_while_its_owners_account_is_deleted_leaves_no_file(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finished(user: User, by: User | None = None) -> dict[str, int]:
        if not made:
            made.append(make_bot(corpus, base))
        return {}

    made: list[TrainedModel] = []
    corpus = import_posts(alice)
    place = [farewell for farewell, _ in accounts._farewells].index(registry.delete_models_of)
    farewells = [*accounts._farewells[:place], (finished, finished), *accounts._farewells[place:]]
    monkeypatch.setattr(accounts, "_farewells", farewells)
    gone = accounts.delete_account(alice)
    assert (len(made), gone["bot"]) == (1, 1)
    assert not files.path_of(made[0]).exists() and not User.objects.filter(pk=alice.pk).exists()


def test_the_upload_of_an_import_whose_end_is_rolled_back_is_still_there(brought: Corpus) -> None:
    with taken_back():
        services.forget_upload(brought)
    assert uploads.file_of(brought) is not None
    services.forget_upload(brought)
    assert uploads.file_of(brought) is None


def test_a_file_that_base_models_are_measured_on_is_copied_before_anybody_has_to_wait(
    admin: User, base: TrainedModel
) -> None:
    class Watched(io.BytesIO):
        def read(self, *args: Any) -> bytes:
            inside.append(connection.in_atomic_block)
            return super().read(*args)

    inside: list[bool] = []
    job = bases.evaluate(by=admin, models=[base], uploaded=Watched(b"a post\n"), file_name="mine.txt")
    assert inside and not any(inside)
    assert (work_dir(job) / f"{bases.UPLOADED}.txt").read_bytes() == b"a post\n"
    assert not uploads.without_corpus()


def test_a_file_for_an_evaluation_that_is_refused_is_not_kept(
    admin: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> Job:
        raise _NotAfterAll

    monkeypatch.setattr(jobs, "submit", refused)
    with pytest.raises(_NotAfterAll):
        bases.evaluate(by=admin, models=[base], uploaded=io.BytesIO(b"a post\n"), file_name="mine.txt")
    assert not uploads.without_corpus()


def test_what_a_killed_deletion_has_left_is_swept_when_the_next_worker_starts(brought: Corpus) -> None:
    old, new = (Path(site.UPLOADS_DIR) / str(uuid.uuid4()) for _ in range(2))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "upload.txt").write_text("one", encoding="utf-8")
    long_ago = time.time() - 2 * uploads.SWEPT_AFTER.total_seconds()
    for folder in (old, uploads.folder_of(brought)):
        os.utime(folder, (long_ago, long_ago))
    kinds.prepare(["default"])
    assert not old.exists() and new.exists() and uploads.file_of(brought) is not None


def test_a_folder_that_cannot_be_created_is_named_at_the_start(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.BOTFACTORY_HOME, settings.CHECKPOINTS_DIR = tmp_path, tmp_path / "file" / "bots"
    command = run.Command()
    with pytest.raises(CommandError, match=r"Can't create the folder .*/file/bots"):
        command.prepare()
    command.lock.close()
