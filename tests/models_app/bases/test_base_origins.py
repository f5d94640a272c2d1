"""Whose posts a version of the base model has learned, and what happens if these or its start are deleted meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import files, registry
from models_app.bots.rows import TrainedModel
from tests.models_app.bases.base_jobs import ask, done
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.models_app.conftest import import_posts
from tests.models_app.shared_bot import make_bot
from tweets.corpora import deletion, opt_out
from tweets.models import Corpus, OptOut

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_network")]

JANE = ("bluesky", "jane.bsky.social")


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
    assert not files.path_of(version).exists() and not files.path_of(child).exists()


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
