from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import loading, registry, versions
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.evaluation import report_card
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.training import planning
from tests.fakes.posts import make_posts
from tests.models_app import tiny_llama
from tests.models_app.shared_bot import SECRET, make_bot
from tests.product import save_small_base
from tweets.corpora import learning
from tweets.corpora import services as corpora
from tweets.models import Corpus


@contextmanager
def few_posts_on_report_cards() -> Iterator[None]:
    """Use only a few posts, because the untrained base model of the tests writes long ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_card, "POSTS", 20)
        patch.setattr(report_card, "LEARNED_BY_CLASSIFIER", 20)
        yield


@pytest.fixture(autouse=True)
def quick_report_cards() -> Iterator[None]:
    with few_posts_on_report_cards():
        yield


@pytest.fixture(autouse=True)
def trainings_are_quick(quick_trainings: None) -> None:
    """Reuse learners, because only tests that say so are about their graphs."""


@pytest.fixture
def base(transactional_db: None) -> Iterator[TrainedModel]:
    """A small, untrained base model in an otherwise empty folder of checkpoints."""
    folder = Path(settings.CHECKPOINTS_DIR)
    shutil.rmtree(folder, ignore_errors=True)
    save_small_base(folder)
    yield versions.base_model()
    shutil.rmtree(folder, ignore_errors=True)


def import_posts(owner: User, count: int = 300, seed: int = 1) -> Corpus:
    job = corpora.import_text(owner=owner, text="\n".join(make_posts(count, seed=seed)), name="Posts", run_here=True)
    worker.run_claimed(job)
    return Corpus.objects.get(pk=job.arguments["corpus"])


@pytest.fixture
def corpus(alice: User, transactional_db: None) -> Corpus:
    return import_posts(alice)


def train(corpus: Corpus, start: TrainedModel, *, epochs: int = 1, seed: int = 5, name: str = "Bot") -> Job:
    job = planning.fine_tune(
        owner=corpus.owner, corpus=corpus, start=start, epochs=epochs, seed=seed, name=name, run_here=True
    )
    return worker.run_claimed(job)


@dataclass(frozen=True)
class Learned:
    """The result of a real training. Each test registers it again, because training takes seconds."""

    checkpoint: Checkpoint
    values: dict[str, Any]


@cache
def learned() -> Learned:
    job = Job.objects.get(kind=planning.FINE_TUNE)
    model = TrainedModel.objects.get(job=job)
    names = [
        "training",
        "history",
        "kept_epoch",
        "interpolation",
        "samples",
        "bits_per_character",
        "report",
        "posts",
        "characters",
        "seconds",
    ]
    return Learned(loading.load(model), {name: getattr(model, name) for name in names})


def registered(corpus: Corpus, base: TrainedModel, trained: Checkpoint, values: dict[str, Any]) -> TrainedModel:
    """Register a bot of the corpus's owner with these weights, as if its training had just ended."""
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=1, seed=5, name="Bot", run_here=True)
    model = registry.register(
        job=job,
        name="Bot",
        corpus=corpus,
        parent=base,
        parent_name="base",
        trained=trained,
        guard=CopyGuard.of(learning.training_posts(corpus)),
        meta=trained.meta,
        values=values,
    )
    Job.objects.filter(pk=job.pk).update(state=State.SUCCEEDED, result={"model": str(model.pk), "name": model.name})
    return TrainedModel.objects.get(pk=model.pk)


def untrained(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """Register an untrained bot of the corpus's owner, without TensorFlow, which takes long to load."""
    values = {"posts": corpus.posts_kept, "characters": corpus.characters}
    return registered(corpus, base, loading.load(base), values)


@pytest.fixture
def model(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """A bot of alice, trained for the first test that needs it and then registered with the same weights."""
    if not learned.cache_info().currsize:
        # Its report card is the same whichever test asks first.
        with few_posts_on_report_cards():
            train(corpus, base)
        learned()
        return TrainedModel.objects.get(owner=corpus.owner)
    return registered(corpus, base, learned().checkpoint, learned().values)


@pytest.fixture
def bot(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """A bot of alice, which is private, like every new bot."""
    Corpus.objects.filter(pk=corpus.pk).update(handle="town.example", basis="public", name=SECRET)
    return make_bot(Corpus.objects.get(pk=corpus.pk), base)


@pytest.fixture
def fluent(base: TrainedModel, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> TrainedModel:
    """A tiny fluent base model beside the quick one, on a server that offers it whatever its memory."""
    settings.FLUENT = "on"
    # It hardly ever ends a post, so it would write for as long as it may.
    monkeypatch.setattr(report_card, "BOT_SECONDS", 0.5)
    monkeypatch.setattr(report_card, "BASE_SECONDS", 1.0)
    tiny_llama.ship_fluent(Path(settings.CHECKPOINTS_DIR), tmp_path / "tiny")
    return versions.base_model(Tier.FLUENT)
