"""Helpers for tests of jobs on base models: a small network, files to train it on, and requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from models_app.bases import services as bases
from models_app.bots import versions
from models_app.bots.rows import TrainedModel
from models_app.ml import config as ml_config
from models_app.ml.config import NetworkConfig
from models_app.training import planning
from tests.fakes.posts import make_posts
from tests.models_app.conftest import import_posts

QUICK = {"batch_size": 8, "warmup_steps": 2, "sequence_length": 16}


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a training from nothing take seconds."""
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


def training_of(person: User) -> Job:
    """Queue a training of a bot."""
    return planning.fine_tune(owner=person, corpus=import_posts(person), start=versions.base_model())


def need_worker(waiting: Job) -> None:
    """Make somebody's training ready for so long that no worker can be free."""
    Job.objects.filter(pk=waiting.pk).update(available_at=timezone.now() - timedelta(minutes=1))
