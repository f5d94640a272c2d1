from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from models_app import registry, services
from models_app.models import TrainedModel
from tests.fakes.posts import make_posts
from tests.product import save_small_base
from tweets import services as corpora
from tweets.models import Corpus


@pytest.fixture
def base(transactional_db: None) -> Iterator[TrainedModel]:
    """A small, untrained base model in a folder of checkpoints that is empty otherwise."""
    folder = Path(settings.CHECKPOINTS_DIR)
    shutil.rmtree(folder, ignore_errors=True)
    save_small_base(folder)
    yield registry.base_model()
    shutil.rmtree(folder, ignore_errors=True)


def import_posts(owner: User, count: int = 300, seed: int = 1) -> Corpus:
    job = corpora.import_text(owner=owner, text="\n".join(make_posts(count, seed=seed)), name="Posts", run_here=True)
    worker.run_claimed(job)
    return Corpus.objects.get(pk=job.arguments["corpus"])


@pytest.fixture
def corpus(alice: User, transactional_db: None) -> Corpus:
    return import_posts(alice)


def train(corpus: Corpus, start: TrainedModel, *, epochs: int = 1, seed: int = 5, name: str = "Bot") -> Job:
    job = services.fine_tune(
        owner=corpus.owner, corpus=corpus, start=start, epochs=epochs, seed=seed, name=name, run_here=True
    )
    return worker.run_claimed(job)


@pytest.fixture
def model(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    job = train(corpus, base)
    return TrainedModel.objects.get(pk=job.result["model"])
