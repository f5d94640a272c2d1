"""A fluent bot from its posts to its own: trained by the real worker, written by the real writer."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.conf import settings as site

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from models_app.bots import files, loading, pretrained
from models_app.bots.rows import Tier, TrainedModel
from models_app.downloads import own
from models_app.ml import checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.training import prebuilt
from models_app.ml.training.adapters import trainer
from models_app.training import evaluating, planning, report_cards
from models_app.writing import generations
from models_app.your_data import bots
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tweets.models import Corpus, Post

pytestmark = pytest.mark.django_db(transaction=True)


def test_from_posts_to_a_fluent_bot_that_writes(
    alice: User, base: TrainedModel, fluent: TrainedModel, writer: None, settings: Any
) -> None:
    corpus, client = import_posts(alice), signed_in(alice)
    page = client.post(f"/corpora/{corpus.pk}/", {"start": str(fluent.pk), "epochs": "2", "name": "Fluent one"})
    job = Job.objects.get(kind=planning.FINE_TUNE)
    assert page.status_code == 302 and page["Location"] == job.get_absolute_url()
    points = job.arguments["chosen"]["points"]
    watched = client.get(job.get_absolute_url()).content.decode()
    assert f'data-epochs="{points}"' in watched and 'data-unit="part"' in watched

    worker.run_next("train")
    job.refresh_from_db()
    assert job.state == "succeeded", job.error_message
    bot = TrainedModel.objects.get(pk=job.result["model"])
    assert (bot.tier, bot.parent, bot.name, len(bot.history)) == ("fluent", fluent, "Fluent one", points)
    kept = loading.load(bot).meta
    assert (kept["kept_epoch"], kept["interpolation"]) == (bot.kept_epoch, bot.interpolation)
    assert bot.interpolation is not None and bot.samples
    assert bot.training["kind"] == "adapter" and bot.stored_bytes < 600_000
    assert loading.load(bot).network == loading.load(fluent).network
    assert [event.payload["epoch"] for event in job.events.filter(kind="epoch").order_by("sequence")] == [
        *range(1, points + 1)
    ]
    shown = [event.kind for event in job.events.filter(kind__in=("before", "epoch")).order_by("sequence")]
    assert shown == ["before"] + points * ["epoch"]
    assert job.events.get(kind="before").payload["samples"]
    continued = job.events.get(kind="openings").payload["continued"]
    assert 1 <= len(continued) <= 2 and all(epoch["continued"].keys() <= continued.keys() for epoch in bot.history)
    assert bot.report["base_bits_per_character"] > 0
    assert 0 <= bot.report["sense"] <= 3 and "for sense" in bot.sense_sentence
    assert (files.path_of(fluent) / report_cards.BASE_SAMPLES).exists()
    told = client.get(f"/api/v1/jobs/{job.pk}").json()
    assert (told["progress"]["unit"], told["progress"]["epochs"]) == ("part", points)
    assert told["details"]["hyperparameters"]["points"] == points

    asked = {"n": 2, "top_p": 1.0}
    written = client.post(f"/api/v1/models/{bot.pk}/generate", asked, content_type="application/json")
    assert written.status_code == 200, written.content
    assert len(written.json()["posts"]) == 2 and written.json()["settings"]["top_p"] == 1.0
    # Among so many tokens, the unlikely ones would break the sense, so usually they're left out.
    answers = [
        client.post(f"/api/v1/models/{model.pk}/generate", {"n": 1}, content_type="application/json").json()
        for model in (bot, base)
    ]
    assert [answer["settings"]["top_p"] for answer in answers] == [0.9, 1.0]
    assert 'placeholder="0.9"' in client.get(bot.get_absolute_url()).content.decode()
    measured = client.post(f"/api/v1/models/{bot.pk}/evaluate", {"posts": ["hello"]}, content_type="application/json")
    assert measured.json()["base"] == str(fluent.pk)


def test_its_phrases_move_with_the_bot_and_are_not_given_to_others(
    corpus: Corpus, fluent: TrainedModel, tmp_path: Path
) -> None:
    bot = trained(corpus, fluent)
    phrases = loading.load(bot).phrases
    assert phrases is not None and loading.open_sampler(bot).nbytes > loading.open_sampler(fluent).nbytes
    whole, native = tmp_path / "whole.zip", tmp_path / "native.zip"
    for file, write in ((whole, own.write_whole), (native, own.write_native)):
        with file.open("wb") as out:
            write(bot, out)
    assert not any(name.endswith(checkpoint.PHRASES) for name in zipfile.ZipFile(native).namelist())
    moved = tmp_path / "moved"
    moved.mkdir()
    bots._unpack(whole, moved)
    again = checkpoint.load(moved).phrases
    assert again is not None and again.to_bytes() == phrases.to_bytes()
    # If it had started from another person's bot, its phrases could be that person's.
    TrainedModel.objects.filter(pk=bot.pk).update(parent=None, parent_name="bob/Bot")
    with whole.open("wb") as out:
        own.write_whole(TrainedModel.objects.get(pk=bot.pk), out)
    assert not any(name.endswith(checkpoint.PHRASES) for name in zipfile.ZipFile(whole).namelist())
    # As an administrator makes a base model of a bot's files.
    base = tmp_path / "base"
    base.mkdir()
    assert files.copy(files.path_of(bot), base).phrases is None


def test_a_bot_of_a_bot_is_fluent_too(corpus: Corpus, fluent: TrainedModel) -> None:
    first = trained(corpus, fluent)
    second = trained(corpus, first)
    assert (second.tier, second.parent) == ("fluent", first)
    assert evaluating.base_of(second) == fluent
    assert len(generations.generate(model=second, owner=corpus.owner, sampling=SamplingConfig(count=1)).posts) == 1


def test_it_reads_the_newest_posts_whatever_order_they_came_in(
    corpus: Corpus, fluent: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = list(corpus.posts.order_by("pk"))
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for age, post in enumerate(posts):  # as a network gives them: newest first
        post.posted_at = begin - timedelta(hours=age)
    Post.objects.bulk_update(posts, ["posted_at"])
    asked: dict[str, Any] = {}
    learn = trainer.fine_tune

    def watched(**arguments: Any) -> Any:
        asked.update(arguments)
        return learn(**arguments)

    monkeypatch.setattr(trainer, "fine_tune", watched)
    trained(corpus, fluent)
    order = [post.cleaned for post in reversed(posts) if not post.dropped]
    assert asked["train"] == [post for post in order if post in set(asked["train"])]
    assert len(asked["train"]) > 50


def trained(corpus: Corpus, start: TrainedModel) -> TrainedModel:
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=start, run_here=True)
    worker.run_claimed(job)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error_message
    return TrainedModel.objects.get(pk=job.result["model"])


def test_the_process_that_waits_takes_the_pretrained_model_in_and_writes_only_what_is_quick(
    base: TrainedModel, fluent: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models_app.training import fine_tune_job

    monkeypatch.setattr(prebuilt, "_asked", Event())  # no training has begun in this process
    fine_tune_job.prepare()
    assert pretrained.is_here(fluent.network["pretrained"])
    assert (files.path_of(base) / report_cards.BASE_SAMPLES).exists()
    # Nobody could cancel it, and a base that isn't adapted to posts hardly ends its texts.
    assert not (files.path_of(fluent) / report_cards.BASE_SAMPLES).exists()
    assert Tier(fluent.tier) == Tier.FLUENT


def test_a_web_process_never_loads_tensorflow() -> None:
    code = (
        "import django, sys; django.setup(); import botfactory.urls; from models_app.training import tiers; "
        "from models_app.ml.networks.llama.store import LIBRARY; print(LIBRARY._root, 'tensorflow' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=site.BASE_DIR,
        env={**_environment(), "DJANGO_SETTINGS_MODULE": "botfactory.settings"},
    )
    assert told.stdout.split() == [str(site.CHECKPOINTS_DIR) + "/pretrained", "False"]


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "CHECKPOINTS_DIR": str(site.CHECKPOINTS_DIR)}
