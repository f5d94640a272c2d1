"""A model has both its files and its row, or neither."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.errors import LostClaim
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import files, loading, registry
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.training import planning
from tests.at_once import at_once
from tweets.corpora import deletion
from tweets.models import Corpus

pytestmark = pytest.mark.differs


@pytest.fixture
def job(alice: User, corpus: Corpus, base: TrainedModel) -> Job:
    return planning.fine_tune(owner=alice, corpus=corpus, start=base, epochs=1, seed=5, name="Bot", run_here=True)


def register(job: Job, corpus: Corpus, base: TrainedModel, fenced: Any) -> TrainedModel:
    """Register the base model's weights as the bot of `job`, because these tests need files but no training."""
    return registry.register(
        job=job,
        name="Bot",
        corpus=corpus,
        parent=base,
        parent_name="base",
        trained=loading.load(base),
        guard=CopyGuard.of(["some post of theirs"]),
        meta={},
        values={},
        fenced=fenced,
    )


def test_other_accounts_of_the_machine_cannot_open_the_folder_of_bots(tmp_path: Path) -> None:
    # Wherever the first bot is made: at the terminal, before the product has ever run.
    path = tmp_path / "checkpoints" / "users" / "1" / "bot"
    with files.staging(path, None) as staged:
        files.save_context(staged, ["a post of theirs"])
        staged.rename(path)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:2]] == [0o700, 0o700]
    assert files.context_of(path) == ["a post of theirs"]


def files_of(owner: User) -> list[Path]:
    return [path for path in (Path(settings.CHECKPOINTS_DIR) / "users" / str(owner.pk)).rglob("*") if path.is_file()]


def test_a_corpus_that_is_deleted_while_its_bot_is_saved_leaves_no_files(
    alice: User, corpus: Corpus, base: TrainedModel, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_place = files.in_place

    @contextmanager
    def deleted_meanwhile(*arguments: Any) -> Iterator[None]:
        deletion.delete_corpus(corpus, by=alice)
        with in_place(*arguments):
            yield

    monkeypatch.setattr(files, "in_place", deleted_meanwhile)
    with pytest.raises(LostClaim):
        register(job, corpus, base, JobHandle(job).fenced)
    assert (files_of(alice), TrainedModel.objects.filter(owner=alice).count()) == ([], 0)


def test_files_whose_row_was_not_committed_are_gone(alice: User, corpus: Corpus, base: TrainedModel, job: Job) -> None:
    @contextmanager
    def not_committed() -> Iterator[None]:
        with transaction.atomic():
            yield
            raise RuntimeError("the commit failed")

    attempts: Iterator[Any] = iter([not_committed, transaction.atomic])
    with pytest.raises(RuntimeError, match="the commit failed"):
        register(job, corpus, base, lambda: next(attempts)())
    assert (files_of(alice), TrainedModel.objects.filter(owner=alice).count()) == ([], 0)


def test_an_attempt_that_cannot_save_its_files_leaves_none(
    alice: User, corpus: Corpus, base: TrainedModel, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(guard: CopyGuard, path: Path) -> None:
        path.write_bytes(b"half")
        Path("/dev/full").write_bytes(b"x")

    monkeypatch.setattr(CopyGuard, "save", full)
    with pytest.raises(OSError, match="No space left"):
        register(job, corpus, base, JobHandle(job).fenced)
    assert files_of(alice) == []


def test_two_attempts_that_save_at_once_make_one_whole_model(
    alice: User, corpus: Corpus, base: TrainedModel, job: Job
) -> None:
    Job.objects.filter(pk=job.pk).update(state=State.INTERRUPTED)
    second = worker.claim(job.pk)
    assert second is not None
    attempts = iter([job, second] * 3)

    def save() -> str:
        mine = next(attempts)
        try:
            register(mine, corpus, base, JobHandle(mine).fenced)
        except (LostClaim, OSError) as error:
            # An attempt that was overtaken may find that its files are gone.
            return type(error).__name__
        return "saved"

    assert "saved" in at_once(2, save)
    model = TrainedModel.objects.get(owner=alice)
    assert loading.load(model).sha256 == model.sha256 and loading.has_guard(model)
    folder = files.path_of(model)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing is left beside it"
