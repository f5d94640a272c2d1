"""Choosing the best of several drafts: from the training that learns what to choose by to page, API and terminal."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connections
from django.test import AsyncClient

from botfactory.accounts.models import User
from botfactory.jobs import worker
from models_app import loading, model_files, report_cards, services
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.likeness import PersonLikeness
from models_app.ml.sampling.sampler import Sampler
from models_app.models import Generation, TrainedModel
from models_app.writing import bots
from models_app.writing.requests import characters_of
from tests.conftest import signed_in
from tests.models_app.conftest import train
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

FORM = {"count": "3", "temperature": "0.9", "seed": "4", "max_characters": "280"}


@pytest.fixture
def chooser(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """A bot that a training has just made."""
    return TrainedModel.objects.get(pk=train(corpus, base).result["model"])


def test_a_training_keeps_what_to_choose_by(chooser: TrainedModel) -> None:
    file = model_files.path_of(chooser) / model_files.LIKENESS
    assert file.stat().st_size < 500_000 and loading.load_likeness(chooser) is not None
    assert chooser.stored_bytes == model_files.stored_bytes(model_files.path_of(chooser))


def test_a_bot_chooses_among_drafts_wherever_it_is_asked(alice: User, chooser: TrainedModel, writer: None) -> None:
    wanted = {"n": 3, "seed": 4, "best_of": 3}
    told = Program(alice).post(f"/models/{chooser.pk}/generate", wanted).json()
    assert len(told["posts"]) == len(told["likeness"]) == 3 and told["settings"]["best_of"] == 3
    assert told["likeness"] == sorted(told["likeness"], reverse=True) and 0 <= told["likeness"][-1] <= 1
    here, _ = services.write(chooser, SamplingConfig(count=3, seed=4, best_of=3))
    assert here.posts == told["posts"]
    sampler, likeness = loading.sampler_of(chooser), loading.load_likeness(chooser)
    assert likeness is not None
    drafts = sampler.generate(SamplingConfig(count=9, seed=4), measure=True, guard=loading.load_guard(chooser))
    assert set(told["posts"]) < set(drafts.posts)

    out = StringIO()
    call_command("generate", str(chooser.pk), "--count", 3, "--seed", 4, "--best-of", 3, "--json", stdout=out)
    assert json.loads(out.getvalue())["posts"] == told["posts"]
    assert json.loads(out.getvalue())["likeness"] == told["likeness"]


def test_the_page_says_why_each_post_was_kept(alice: User, chooser: TrainedModel, writer: None) -> None:
    client, place = signed_in(alice), f"/models/{chooser.pk}/generate"
    best = client.post(place, FORM | {"choose_best": "on"}, headers={"HX-Request": "true"}).content.decode()
    assert best.count("Sounds more like the person than ") == 3 and "the best of 3 drafts for each post" in best
    usual = client.post(place, FORM, headers={"HX-Request": "true"}).content.decode()
    assert "Sounds more like" not in usual and "drafts for each post" not in usual
    assert Generation.objects.filter(likeness=[]).count() == 1
    assert "Choose the best" in client.get(chooser.get_absolute_url()).content.decode()


async def test_chosen_posts_come_as_a_stream_the_best_first(alice: User, chooser: TrainedModel, writer: None) -> None:
    client = AsyncClient()
    await client.aforce_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    headers = {"Accept": "application/x-ndjson"}
    answer: Any = await client.post(f"/models/{chooser.pk}/generate", FORM | {"choose_best": "on"}, headers=headers)
    text = "".join([piece.decode() async for piece in answer.streaming_content])
    *posts, last = [json.loads(line) for line in text.splitlines()]
    kept = await Generation.objects.aget()
    assert [post["post"] for post in posts] == kept.posts and len(kept.likeness) == 3
    assert last["generation"]["html"].count("data-likeness") == 3
    await sync_to_async(connections.close_all)()


def test_a_bot_of_an_early_version_chooses_by_likelihood(alice: User, chooser: TrainedModel, writer: None) -> None:
    file = model_files.path_of(chooser) / model_files.LIKENESS
    file.unlink()
    told = Program(alice).post(f"/models/{chooser.pk}/generate", {"n": 3, "seed": 4, "best_of": 3}).json()
    assert len(told["posts"]) == 3 and told["likeness"] is None
    shown = signed_in(alice).get(chooser.get_absolute_url()).content.decode()
    assert told["posts"][0][:8] in shown or "Sounds more like" not in shown
    # A damaged one is as good as none, and a new report card brings another.
    file.write_bytes(b"damaged")
    assert loading.load_likeness(chooser) is None
    before = bots.key_of(chooser)
    job = worker.run_claimed(claimed(report_cards.remake(chooser, by=alice)))
    assert job.state == "succeeded", job.error_message
    assert loading.load_likeness(chooser) is not None and bots.key_of(chooser) != before


def claimed(job: Any) -> Any:
    running = worker.claim(job.pk)
    assert running is not None
    return running


def test_drafts_count_for_how_much_can_be_asked_for(alice: User, base: TrainedModel) -> None:
    program = Program(alice)
    answer = program.post(f"/models/{base.pk}/generate", {"n": 50, "best_of": 3})
    assert "at most 47 posts of this length, or for posts of at most 266 characters" in require_error(
        answer, 422, "too_much_at_once", "n"
    )
    ten = SamplingConfig(count=10)
    assert characters_of(SamplingConfig(count=10, best_of=3)) == 3 * characters_of(ten)
    # Few characters are no less work: more drafts don't end within them.
    assert characters_of(SamplingConfig(count=10, max_characters=1)) == characters_of(ten)
    for wrong in (0, 6, "3", None, 2.5):
        require_error(program.post(f"/models/{base.pk}/generate", {"best_of": wrong}), 422, "bad_value", "best_of")


def test_a_training_that_cannot_learn_what_to_choose_by_loses_no_model(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*values: object) -> PersonLikeness:
        raise MemoryError

    monkeypatch.setattr(PersonLikeness, "of", broken)
    job = train(corpus, base)
    assert job.state == "succeeded", job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert loading.load_likeness(model) is None
    assert Sampler(loading.load(model)).generate(SamplingConfig(best_of=2, seed=1)).posts
