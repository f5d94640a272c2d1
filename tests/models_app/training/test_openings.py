"""The same openings, continued before a training and after each epoch."""

from __future__ import annotations

import json

import pytest

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.training.openings import openings_of
from tests.conftest import signed_in
from tests.models_app.bots.test_house_bans import ban
from tests.models_app.conftest import train
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

REST = "and so it went on for a whole day"


def test_openings_are_the_usual_ones_of_held_out_posts_and_never_a_whole_one() -> None:
    learned = [f"The kettle {REST}"] * 3 + [f"My cat {REST}"] * 5 + [f"Nobody held this {REST}"] * 9
    held_out = [
        "Too short",
        f"The kettle {REST}",
        f"The dog {REST}",
        f"Rain again {REST}",
        f"My cat {REST}",
        f"So it {REST}",
    ]
    assert openings_of(learned, held_out) == ("My cat", "The kettle", "Rain again")


def test_openings_hold_neither_names_nor_numbers_nor_links_nor_banned_words() -> None:
    held_out = [
        f"{opening} {REST}" for opening in ("@ann said", "#tag it", "5 dogs", "https://x.example is", "ok fine")
    ]
    assert openings_of([], held_out) == ("ok fine",)
    ban("ok fine")
    assert openings_of([], held_out) == ()


def test_a_post_without_spaces_has_an_opening_too() -> None:
    assert openings_of([], ["今日は雨が降っていたので家でずっと本を読んでいました。"]) == ("今日は雨",)


def test_a_training_continues_them_before_and_after_each_epoch(alice: User, corpus: Corpus, base: TrainedModel) -> None:
    job = train(corpus, base, epochs=2)
    (before,) = job.events.filter(kind="openings")
    continued = before.payload["continued"]
    assert 1 <= len(continued) <= 3
    learned = set(corpus.posts.values_list("cleaned", flat=True))
    epochs = [event.payload for event in job.events.filter(kind="epoch").order_by("sequence")]
    assert len(epochs) == 2
    for found in (continued, *(epoch["continued"] for epoch in epochs)):
        assert found and all(post.startswith(opening) and post not in learned for opening, post in found.items())
    model = TrainedModel.objects.get(job=job)
    assert [epoch["continued"] for epoch in model.history] == [epoch["continued"] for epoch in epochs]
    assert model.history[0]["before"] == continued
    assert json.dumps(continued)[1:20] in signed_in(alice).get(model.get_absolute_url()).content.decode()
    told = signed_in(alice).get(f"/api/v1/jobs/{job.pk}/checkpoints").json()["data"]
    assert [checkpoint["continued"] for checkpoint in told] == [epoch["continued"] for epoch in epochs]
