"""What people decide chooses among the drafts of what is proposed next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.taste import Lean, Taste
from models_app.writing import asking
from models_app.writing.rows import Generation
from publishing.models import Account, Proposal, Queue
from publishing.queue import services
from publishing.rules import taste
from tests.publishing.helpers import approve, propose

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = """umbrella library neighbour violin biscuit ladder goodnight kettle saucepan orchard harbour lantern thimble
pigeon marmalade trumpet cellar gravel meadow blanket"""
WORDS = TEXT.split()


def texts(count: int, seed: int) -> list[str]:
    """Return posts that have nothing in common. Every other one asks."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 9).tolist()) + ("?" if number % 2 else "") for number in range(count)]


def decide(model: TrainedModel, count: int = 20, *, reason: str = "") -> None:
    """Reject all questions and approve the others."""
    for text in texts(count, seed=1):
        proposal = propose(model, text)
        if text.endswith("?"):
            services.reject(proposal, reason=reason)
        else:
            services.approve(proposal, is_sure=True)


@pytest.fixture
def asked(model: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> list[SamplingConfig]:
    """The bot writes as many posts as it's asked for, of which every other one is a question."""
    found: list[SamplingConfig] = []

    def wrote(*, sampling: SamplingConfig, **_others: object) -> Generation:
        found.append(sampling)
        generation = written(model, texts(sampling.count, seed=100 + len(found)))
        generation.measured = [{"sense": 0.5, "surprise": 2.0}] * len(generation.posts)
        return generation

    monkeypatch.setattr(asking, "generate", wrote)
    return found


def written(model: TrainedModel, posts: list[str]) -> Generation:
    assert model.owner is not None
    return Generation.objects.create(model=model, owner=model.owner, posts=posts, seconds=1)


def proposed(model: TrainedModel) -> list[Proposal]:
    return services.propose(model=model, owner=model.owner, count=5)  # type: ignore[arg-type]


def test_after_ten_decisions_a_bot_proposes_the_best_of_several(
    model: TrainedModel, queue: Queue, feed: Account, asked: list[SamplingConfig]
) -> None:
    assert any(proposal.text.endswith("?") for proposal in proposed(model))
    decide(model)
    assert not any(proposal.text.endswith("?") for proposal in proposed(model))
    plain, chosen = asked
    assert chosen.count == 3 * plain.count


def test_a_fluent_bot_draws_no_more_drafts_than_before(
    model: TrainedModel, queue: Queue, feed: Account, asked: list[SamplingConfig]
) -> None:
    model.tier = Tier.FLUENT
    TrainedModel.objects.filter(pk=model.pk).update(tier=Tier.FLUENT)
    proposed(model)
    decide(model)
    proposed(model)
    plain, chosen = asked
    assert plain.drafts_to_write == chosen.drafts_to_write and chosen.best_of is not None


def test_what_was_measured_is_kept_with_the_proposal(
    model: TrainedModel, queue: Queue, asked: list[SamplingConfig]
) -> None:
    written(model, texts(120, seed=3))
    measured = proposed(model)[0].measured
    assert (measured["sense"], measured["surprise"]) == (0.5, 2.0)
    assert 0 <= measured["near"] <= 1 and isinstance(measured["voice"], float)


def test_it_never_unlocks_what_may_not_be_posted(
    model: TrainedModel, queue: Queue, feed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(model)
    posts = ["hello @somebody@example.social in the orchard", "a kettle in the cellar?", "write me at ada@example.com"]

    monkeypatch.setattr(asking, "generate", lambda **_asked: written(model, posts))
    assert [proposal.text for proposal in proposed(model)] == [posts[1]]


def test_not_now_says_nothing_and_what_is_put_back_is_undecided(
    model: TrainedModel, queue: Queue, feed: Account
) -> None:
    decide(model, reason="not_now")
    assert taste.taste_of(queue) is None
    Proposal.objects.filter(reason="not_now").update(reason="")
    assert taste.taste_of(queue) is not None
    for proposal in Proposal.objects.filter(state="rejected"):
        services.put_back(proposal)
    assert taste.taste_of(queue) is None


def test_an_edit_counts_as_far_as_it_kept_the_words(model: TrainedModel, queue: Queue, feed: Account) -> None:
    approve(model, "the ladder said goodnight")
    services.approve(propose(model, "seven umbrellas walked in"), text="seven umbrellas sat down")
    services.reject(propose(model, "soup remembers"))
    assert [decision.liked for decision in taste._decisions(queue)] == [1.0, 0.5, 0.0]


def test_the_page_and_the_api_say_what_was_learned(
    model: TrainedModel, queue: Queue, feed: Account, client: Client
) -> None:
    assert model.owner is not None
    client.force_login(model.owner)

    def told() -> Any:
        return client.get(f"/api/v1/queues/{model.pk}").json()["taste"]

    assert told() == {"used": False, "sentence": None}
    decide(model)
    assert told() == {"used": True, "sentence": "You often reject questions."}
    page = reverse("queue", args=[model.pk])
    assert "You often reject questions." in client.get(page).content.decode()
    client.cookies["django_language"] = "de"
    assert "Du lehnst oft Fragen ab." in client.get(page).content.decode()


def test_the_sentence_names_two_things_at_most() -> None:
    leans = (Lean("long", "much"), Lean("word", "much", "kettle"))
    empty = np.zeros(0)
    found = Taste(empty, empty, (), empty, empty, leans)
    assert taste.sentence(found) == "You often reject long posts and posts with “kettle”."
    assert taste.sentence(None) == ""
