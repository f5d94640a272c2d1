"""Helpers for tests of searches: a small space, and trials run in this process."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import ENDED, State
from models_app.bases.services import Budget
from models_app.bots.rows import TrainedModel
from models_app.search import services as searches
from models_app.search.how import How
from models_app.search.rows import Search
from tweets.models import Corpus

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 0.0005, "high": 0.02, "log": True},
    "epochs": {"low": 1, "high": 3},
    "batch_size": {"choices": [8, 16]},
}
BASE_SPACE: dict[str, Any] = {
    # The graphs of short windows are built sooner.
    "sequence_length": {"choices": [16]},
    "units": {"choices": [4, 8]},
    "learning_rate": {"low": 0.001, "high": 0.02, "log": True},
    "dropout": {"low": 0.0, "high": 0.3},
    "batch_size": {"choices": [8]},
}


def search_for(corpus: Corpus, start: TrainedModel, **changed: Any) -> Search:
    asked = with_how({"space": SPACE, "trials": 3, "seed": 7} | changed)
    return searches.start_for_bot(owner=corpus.owner, corpus=corpus, start=start, **asked)


def base_search(admin: User, **changed: Any) -> Search:
    asked: dict[str, Any] = {
        "by": admin,
        "name": "wide",
        "space": BASE_SPACE,
        "budget": Budget(megabytes=0.01),
        "files": ["deep/train.txt"],
        "validation": "valid.txt",
        "trials": 2,
        "seed": 7,
    }
    return searches.start_for_base(**with_how(asked | changed))


def with_how(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments with those of How as one."""
    names = {field.name for field in fields(How)} & asked.keys()
    return {"how": How(**{name: asked.pop(name) for name in names}), **asked}


def jobs_of(search: Search) -> list[Job]:
    return list(Job.objects.filter(lane__search=search).order_by("created_at"))


def one_attempt(job: Job) -> Job:
    worker.run(job.pk)
    job.refresh_from_db()
    return job


def finish(search: Search) -> Search:
    """Run attempts, one job after the other, until all jobs have ended."""
    while open_jobs := [job for job in jobs_of(search) if job.state not in ENDED]:
        for job in open_jobs:
            assert one_attempt(job).state in {State.QUEUED, State.SUCCEEDED}, job.error_message
    search.refresh_from_db()
    return search
