"""Make 0_1_0.tar.xz: what version 0.1.0 keeps in its database and its folders. Run it in the tree of that version:

    PYTHONPATH=. .venv/bin/python tests/data/make_0_1_0.py tests/data/0_1_0.tar.xz

It contains a small base model, a corpus of made-up posts, a bot trained on it, a waiting fine-tune, and a fine-tune
that lost its worker after its first epoch. `expected.json` records what the bot writes.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

#: The settings for writing. The test uses the same.
SAMPLING = {"count": 5, "temperature": 0.9, "seed": 11, "max_characters": 60}

#: What the test removes from a part of the posts by cleaning.
BANNED = "umbrellas"


def prepare() -> None:
    """Set Django up with report cards that take no time."""
    import django

    django.setup()
    cards: Any = import_module("models_app.ml.evaluation.report_card")
    cards.POSTS = cards.LEARNED_BY_CLASSIFIER = 20


def save_base(checkpoints: Path) -> None:
    """Save an untrained base model of a few kilobytes, whose posts end after some 35 characters."""
    from models_app.ml import checkpoint
    from models_app.ml.config import NetworkConfig
    from models_app.ml.networks.registry import kind_of
    from models_app.ml.vocabulary import UTF8_BYTES

    network = replace(
        NetworkConfig(embedding=4, units=4), kind="glr", contexts=(2, 0), context_rows=16, context_width=2
    )
    weights = kind_of(network).first_weights(network, 7)
    weights["output_bias"][UTF8_BYTES.end] = 2
    checkpoint.save(checkpoints / "base", network=network, weights=weights, meta={"name": "base"})


def make() -> None:
    from django.core.management import call_command

    prepare()
    from botfactory.accounts.models import User
    from botfactory.jobs import reaper, worker
    from botfactory.jobs.models import Job
    from models_app.bots import versions
    from models_app.bots.rows import Tier, TrainedModel
    from models_app.training import planning
    from models_app.writing import generations
    from tests.fakes.posts import make_posts
    from tweets.corpora import services as corpora
    from tweets.models import Corpus

    call_command("migrate", verbosity=0)
    save_base(Path(os.environ["CHECKPOINTS_DIR"]))
    alice = User.objects.create_user("alice")
    text = "\n".join(make_posts(120, seed=1))
    imported = corpora.import_text(owner=alice, text=text, name="Posts", run_here=True)
    worker.run_claimed(imported)
    corpus, base = Corpus.objects.get(), versions.base_model(Tier.QUICK)

    def fine_tune(name: str, epochs: int, run_here: bool = False) -> Job:
        return planning.fine_tune(
            owner=alice, corpus=corpus, start=base, epochs=epochs, seed=5, name=name, run_here=run_here
        )

    worker.run_claimed(fine_tune("Bot", 1, run_here=True))
    bot = TrainedModel.objects.get(owner=alice)
    sampling: Any = import_module("models_app.ml.config").SamplingConfig(**SAMPLING)
    posts = generations.generate(model=bot, owner=alice, sampling=sampling).posts
    interrupted = fine_tune("Interrupted", 2)
    assert subprocess.run([sys.executable, __file__, str(interrupted.pk)], check=False).returncode == 1
    interrupted.refresh_from_db()
    reaper.interrupt(interrupted)
    waiting = fine_tune("Waiting", 1)
    interrupted.refresh_from_db()
    assert (interrupted.state, waiting.state, interrupted.attempt) == ("interrupted", "queued", 1)
    expected = {
        "sampling": SAMPLING,
        "posts": posts,
        "interrupted": str(interrupted.pk),
        "waiting": str(waiting.pk),
        "banned": BANNED,
        "kept": sum(BANNED not in line for line in text.split("\n")),
    }
    (Path(os.environ["BOTFACTORY_HOME"]) / "expected.json").write_text(json.dumps(expected, indent=1))


def die_after_an_epoch(job_id: str) -> None:
    """Run the job in this process, which dies once the first epoch is saved and shown."""
    prepare()
    from botfactory.jobs import worker
    from botfactory.jobs.handle import JobHandle

    record = JobHandle.record

    def record_and_die(handle: JobHandle, kind: str, payload: dict[str, Any]) -> None:
        record(handle, kind, payload)
        if kind == "epoch":
            os._exit(1)

    mock.patch.object(JobHandle, "record", record_and_die).start()
    worker.run(import_module("uuid").UUID(job_id))


def pack(home: Path, archive: Path) -> None:
    """Pack what an upgrade finds, with its database in one file."""
    database = sqlite3.connect(home / "var/botfactory.sqlite3")
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("VACUUM")
    database.close()
    for name in ("secret_key", "logs", "valkey", "incoming"):
        path = home / "var" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        for name in ("var", "checkpoints"):
            packed.add(home / name, name)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "botfactory.settings"
    if "UPGRADE_HOME" in os.environ:
        make() if len(sys.argv) == 1 else die_after_an_epoch(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            places = {"BOTFACTORY_HOME": str(home / "var"), "CHECKPOINTS_DIR": str(home / "checkpoints")}
            (home / "var").mkdir()
            environment = {**os.environ, **places, "UPGRADE_HOME": folder, "SECRET_KEY": "only for the tests"}
            environment |= {"TRAINER_BUILDS_AHEAD": "0"}
            subprocess.run([sys.executable, __file__], check=True, env=environment)
            pack(home, Path(sys.argv[1]).absolute())
