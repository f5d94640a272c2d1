"""Before a training, people hear which kind of bot suits the language of their posts."""

from __future__ import annotations

import html
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.training import instant, language_advice
from models_app.training.language_advice import SMOLLM2, advice_for, foreign_to
from models_app.writing import generations
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.models_app.training.test_instant import made
from tests.rest.helpers import Program
from tweets.models import Corpus

FLUENT = TrainedModel(tier=Tier.FLUENT, network={"kind": "llama", "pretrained": SMOLLM2})
OTHER = TrainedModel(tier=Tier.FLUENT, network={"kind": "llama", "pretrained": "of another language model"})
QUICK = TrainedModel(tier=Tier.QUICK, network={"kind": "glr"})


def posts_in(*languages: tuple[str, int], characters: int = 100_000) -> Corpus:
    return Corpus(characters=characters, report={"languages": [list(each) for each in languages]})


def advised(corpus: Corpus, *bases: TrainedModel) -> Tier | None:
    advice = advice_for(corpus, bases)
    return None if advice is None else advice.tier


def test_the_tier_that_wrote_this_language_better_is_recommended() -> None:
    german, spanish = posts_in(("de", 300), ("en", 200)), posts_in(("es", 300))
    assert advised(german, FLUENT, QUICK) == Tier.QUICK and advised(spanish, FLUENT, QUICK) == Tier.FLUENT
    assert advised(posts_in(("es", 300), characters=20_000), FLUENT, QUICK) == Tier.QUICK
    advice = advice_for(german, [FLUENT])
    assert advice is not None and advice.sentence.startswith("Most of these posts are in German.")


@pytest.mark.parametrize(
    "languages",
    [[("en", 300), ("de", 200)], [("de", 200), ("en", 150), ("fr", 100)], [("de", 3)], []],
    ids=["mostly English", "no language has most", "hardly any is recognized", "none is recognized"],
)
def test_posts_that_are_not_clearly_in_another_language_get_no_advice(languages: list[tuple[str, int]]) -> None:
    assert advised(posts_in(*languages), FLUENT, QUICK) is None


def test_without_smollm2_there_is_nothing_to_advise() -> None:
    german = posts_in(("de", 300))
    assert advised(german, QUICK) is None and advised(german, OTHER, QUICK) is None


def test_a_post_is_foreign_if_it_is_clearly_in_no_language_of_the_posts() -> None:
    german = "Das ist aber nicht so gut, wie ich es mir gedacht habe."
    of_english, of_both = foreign_to(posts_in(("en", 300), ("de", 2))), foreign_to(posts_in(("en", 300), ("de", 4)))
    assert of_english is not None and of_both is not None
    assert of_english(german) and not of_both(german) and of_both("C’est la vie, mais je ne suis pas avec vous.")
    assert not of_english("This is not as good as I thought it would be.") and not of_english("Schmetterling 🦋")
    assert foreign_to(None) is foreign_to(posts_in(("en", 3))) is foreign_to(posts_in()) is None


@pytest.mark.django_db(transaction=True)
def test_the_page_chooses_what_it_recommends_and_programs_are_warned(
    corpus: Corpus, base: TrainedModel, fluent: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_advice, "SMOLLM2", fluent.network["pretrained"])
    client, address = signed_in(corpus.owner), f"/corpora/{corpus.pk}/"

    def page() -> str:
        return html.unescape(client.get(address).content.decode())

    def asked(path: str, **more: Any) -> Any:
        body = {"kind": "fine_tune", "corpus": str(corpus.pk), **more}
        return client.post(f"/api/v1/{path}", body, content_type="application/json").json()

    assert "data-language-advice" not in page() and asked("jobs/estimate")["warnings"] == []
    Corpus.objects.filter(pk=corpus.pk).update(report={**corpus.report, "languages": [["de", 400]]})
    assert "Most of these posts are in German." in page() and "We recommend a quick bot." in page()
    assert f'value="{base.pk}" data-tier="quick" aria-describedby="start-quick" checked' in page()
    [warning] = asked("jobs/estimate")["warnings"]
    assert warning in page() and asked("jobs", tier="fluent")["estimate"]["warnings"] == [warning]
    assert asked("jobs/estimate", tier="quick")["warnings"] == []
    # It's advice: a fluent bot was queued all the same.
    assert Job.objects.get(kind="fine_tune").arguments["start"] == str(fluent.pk)


@pytest.mark.django_db(transaction=True)
def test_the_terminal_says_it_before_a_training(
    corpus: Corpus, fluent: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_advice, "SMOLLM2", fluent.network["pretrained"])
    # So few posts that no training follows.
    german = {**corpus.report, "languages": [["de", 400]]}
    Corpus.objects.filter(pk=corpus.pk).update(report=german, characters=10, posts_kept=1)
    told = io.StringIO()
    with pytest.raises(CommandError):
        call_command("fine_tune", str(corpus.pk), "--tier", "fluent", "--owner", "alice", stdout=told, stderr=told)
    assert "Most of these posts are in German." in told.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_writer_prefers_drafts_in_the_languages_of_the_posts(
    alice: User, fluent: TrainedModel, writer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tiny model writes in no language.
    monkeypatch.setattr(language_advice, "language_of", lambda post: "en" if len(post) % 2 else "de")
    corpus = import_posts(alice)
    bot = made(instant.make(owner=alice, corpus=corpus))
    asked = {"n": 5, "seed": 4, "max_characters": 60}

    def written(*languages: tuple[str, int]) -> list[str]:
        report = {"languages": [list(each) for each in languages]}
        Corpus.objects.filter(pk=corpus.pk).update(report=report)
        posts: list[str] = Program(alice).post(f"/models/{bot.pk}/generate", asked).json()["posts"]
        here = SamplingConfig(count=5, seed=4, max_characters=60)
        assert generations.write(TrainedModel.objects.get(pk=bot.pk), here)[0].posts == posts
        return posts

    english, german = written(("en", 300)), written(("de", 300))
    assert sum(len(post) % 2 for post in english) > sum(len(post) % 2 for post in german) and len(german) == 5
