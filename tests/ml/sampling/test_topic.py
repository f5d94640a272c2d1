"""Posts about a topic: what a fluent bot reads before it writes, and which drafts are about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import LONGEST_TOPIC, SamplingConfig
from models_app.ml.errors import BadSetting, BadTopic
from models_app.ml.sampling.banned_words import house_ban_list
from models_app.ml.sampling.place import Place
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.sampling.sense import Draft
from models_app.ml.sampling.topic import Topic, are_forms, line_about
from models_app.ml.vocabulary import vocabulary_of
from tests.ml.sampling.test_context import CONTEXT
from tests.ml.sampling.test_context import llama as llama
from tests.ml.training.adapters.test_trainer import start as start

BASE = Path(__file__).parents[3] / "checkpoints/base"
CONFIG = SamplingConfig(count=4, seed=5, max_characters=40, temperature=0.7)


def about(topic: str, **values: object) -> SamplingConfig:
    return SamplingConfig.from_dict(CONFIG.as_dict() | {"about": topic, "best_of": 1} | values)


def test_a_post_is_written_behind_its_topic(llama: Checkpoint) -> None:
    """Exactly as if the topic's line were a post before it."""
    for prompt in ("", "the "):
        behind = Sampler(llama, [line_about("dogs, sleep")]).generate(about("", prompt=prompt))
        assert Sampler(llama).generate(about("dogs,  sleep\n", prompt=prompt)) == behind
        assert behind.posts and behind != Sampler(llama).generate(about("", prompt=prompt))


def test_an_instant_bot_reads_the_topic_after_its_posts(llama: Checkpoint) -> None:
    behind = Sampler(llama, [*CONTEXT, line_about("dogs")]).generate(about(""))
    found = Sampler(llama, CONTEXT).generate(about("dogs"))
    assert found == behind != Sampler(llama).generate(about("dogs"))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("party", "parties"),
        ("write", "writing"),
        ("run", "running"),
        ("bake", "baked"),
        ("vote", "voters"),
        ("tax", "taxes"),
        ("healthy", "health"),
        ("sun", "sunny"),
        ("katze", "katzen"),
        ("hund", "hunde"),
    ],
)
def test_forms_of_a_word_are_the_same_topic(first: str, second: str) -> None:
    assert are_forms(first, second) and are_forms(second, first)


@pytest.mark.parametrize(
    ("first", "second"), [("cat", "cattle"), ("car", "card"), ("start", "stars"), ("sing", "single"), ("at", "ate")]
)
def test_other_words_are_other_topics(first: str, second: str) -> None:
    assert not are_forms(first, second) and not are_forms(second, first)


@pytest.mark.parametrize(
    ("topic", "post", "is_about"),
    [
        ("Dogs", "My #dog sleeps.", True),
        ("dogs and cats", "A cat, of course", True),
        ("unions, wages, healthcare", "They fight for wages.", False),
        ("what I think of the new kettle", "No kettles!", True),
        ("what I think of the new kettle", "The new day, what do I think of it?", False),
        ("猫", "猫が好き", True),
        ("the", "What is the time?", True),
    ],
)
def test_a_post_is_about_a_topic_if_it_has_half_of_its_rarest_words(topic: str, post: str, is_about: bool) -> None:
    assert Topic.of(topic, vocabulary_of(checkpoint.load(BASE).network)).is_of(post) is is_about


DOGS = Topic(("dogs",))


def draft(post: str, nats: float = 1.0) -> Draft:
    return Draft(post, tuple([nats] * (len(post) // 4 + 1)))


def test_a_draft_about_the_topic_comes_first_unless_it_has_a_fault() -> None:
    sensible, wild, faulty = (
        draft("We went home and had tea."),
        draft("The dog went home.", 9.0),
        draft("The dog and the"),
    )
    assert Place(None, drafts=[sensible, wild]).best() == sensible
    assert Place(DOGS, drafts=[sensible, wild, faulty]).best() == wild
    assert Place(DOGS, drafts=[sensible, faulty]).best() == sensible


def test_if_no_draft_is_about_the_topic_there_is_another_round() -> None:
    place = Place(DOGS, drafts=[draft("We went home and had tea.")], rounds=1)
    assert not place.is_decided(3)
    place.drafts.append(draft("The dog went home."))
    assert place.is_decided(3)
    assert Place(DOGS, drafts=[draft("We went home and had tea.")], rounds=2).is_decided(3)
    assert Place(DOGS, drafts=[draft("We went home and had tea.")], rounds=1).is_decided(1)


def test_a_quick_bot_says_that_it_takes_no_topic() -> None:
    with pytest.raises(BadTopic, match="Quick bots can’t be told a topic"):
        Sampler(checkpoint.load(BASE)).generate(about("dogs"))


def test_a_topic_obeys_the_bans(llama: Checkpoint) -> None:
    sampler = Sampler(llama)
    with pytest.raises(BadTopic, match="The topic contains “politics”, which is banned"):
        sampler.generate(about("politics today", banned=("politics",)))
    with pytest.raises(BadTopic, match="which no bot here may write"):
        sampler.generate(about("politics today"), house=house_ban_list(("politics",)))


def test_a_topic_must_be_text_of_some_length() -> None:
    with pytest.raises(BadSetting, match="about must be text, not int"):
        SamplingConfig(about=3)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match="about can have 200 characters, not 201"):
        SamplingConfig(about="x" * (LONGEST_TOPIC + 1))
