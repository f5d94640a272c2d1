"""Use the data of an earlier version. test_upgrade.py runs this in its own process.

`python -m tests.upgrade EXPECTED` prints the results as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock


def go_on(expected: dict[str, Any]) -> dict[str, Any]:
    """Write with the bot, run the waiting trainings to their end, and clean the corpus with other rules."""
    from botfactory.jobs import worker
    from botfactory.jobs.models import Job
    from models_app.bots import loading
    from models_app.bots.rows import TrainedModel
    from models_app.ml.config import SamplingConfig
    from models_app.ml.evaluation import report_card
    from models_app.writing import generations
    from tests import kept_learners
    from tweets.corpora import services as corpora
    from tweets.models import Corpus

    corpus = Corpus.objects.get()
    bot = TrainedModel.objects.get(owner=corpus.owner)
    sampling = SamplingConfig(**expected["sampling"])
    posts = generations.generate(model=bot, owner=corpus.owner, sampling=sampling).posts
    has_guard = loading.load_guard(bot) is not None

    from models_app.ml.training import prebuilt

    quick = mock.patch.multiple(report_card, POSTS=20, LEARNED_BY_CLASSIFIER=20)
    with quick, mock.patch.object(prebuilt, "Learner", kept_learners.learner):
        while job := worker.claim_next("train"):
            worker.run_claimed(job)
    told = {}
    for name in ("interrupted", "waiting"):
        job = Job.objects.get(pk=uuid.UUID(expected[name]))
        model = TrainedModel.objects.filter(job=job).first()
        epochs = job.events.filter(kind="epoch").order_by("sequence")
        told[name] = {
            "state": job.state,
            "error": job.error_message,
            "attempt": job.attempt,
            "epochs": [event.payload["epoch"] for event in epochs],
            "resumed": job.events.filter(kind="resumed").count(),
            "model": model and [model.name, len(model.history), bool(model.report)],
        }
    corpus.refresh_from_db()
    job = corpora.reclean(corpus, replace(corpus.cleaning_rules, banned_words=(expected["banned"],)))
    worker.run(job.pk)
    job.refresh_from_db()
    corpus.refresh_from_db()
    cleaned = {"state": job.state, "error": job.error_message, "corpus": corpus.state, "kept": corpus.posts_kept}
    return {"posts": posts, "has_guard": has_guard, **told, "cleaned": cleaned}


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "botfactory.settings"
    import django

    django.setup()
    sys.stdout.write(json.dumps(go_on(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
