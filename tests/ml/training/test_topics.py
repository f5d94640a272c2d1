from __future__ import annotations

import numpy as np
import pytest

from models_app.ml.config import PretrainConfig
from models_app.ml.errors import BadSetting
from models_app.ml.sampling.topic import line_about
from models_app.ml.training.subjects import SmallNetwork
from models_app.ml.training.topics import RAREST, TopicLines, Topics, topics_of, usual_topics
from models_app.ml.vocabulary import Vocabulary, vocabulary_of
from tests.ml.conftest import TINY, TINY_TOKENS, random_checkpoint

POST = "Because of the wages that Walmart pays the bakers in Massachusetts are always on strike https://t.co/q @nobody"
#: A vocabulary of 600 tokens, in which words that posts seldom have take several.
RARE = {"wages", "Walmart", "pays", "bakers", "Massachusetts", "always", "strike", "Because", "that", "are"}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return vocabulary_of(TINY_TOKENS)


def drawn(vocabulary: Vocabulary, post: str, count: int = 200) -> list[str]:
    topics, rng = Topics(vocabulary), np.random.default_rng(1)
    return [topics.drawn(post, rng) for _ in range(count)]


def test_a_topic_is_made_of_the_posts_own_words(vocabulary: Vocabulary) -> None:
    found = drawn(vocabulary, POST)
    assert all(found) and len(set(found)) > 30
    assert not any("t.co" in topic or "nobody" in topic for topic in found)
    lists = {word for topic in found if ", " in topic for word in topic.split(", ")}
    # In another form at times, in lower case half of the time.
    assert {word.lower().rstrip("s") for word in lists} <= {word.lower().rstrip("s") for word in RARE}
    assert max(len(topic.split(", ")) for topic in found) == 3


def test_only_the_rarest_words_are_drawn(vocabulary: Vocabulary) -> None:
    lists = [topic.split(", ") for topic in drawn(vocabulary, POST) if ", " in topic]
    words = {word.lower().rstrip("s") for topic in lists for word in topic}
    assert len(words) == RAREST
    assert "massachusett" in words and "the" not in words


def test_some_topics_are_a_part_of_the_post(vocabulary: Vocabulary) -> None:
    parts = [topic for topic in drawn(vocabulary, POST) if ", " not in topic and len(topic.split()) > 1]
    assert len(parts) > 20
    assert all(part.lower() in POST.lower() for part in parts)


@pytest.mark.parametrize("post", ["", "ok", "http://t.co/abc", "@nobody", "🎉🎉", "it's"])
def test_a_post_without_rare_words_has_no_topic(vocabulary: Vocabulary, post: str) -> None:
    assert set(drawn(vocabulary, post, 20)) == {""}


def test_a_share_of_the_posts_gets_a_line(vocabulary: Vocabulary) -> None:
    posts = [vocabulary.encode(f"{POST} {number}") for number in range(400)]
    lines = TopicLines(vocabulary, share=0.5).of(posts, np.random.default_rng(2))
    given = [vocabulary.decode(line.tolist()) for line in lines if line.size]
    assert 150 < len(given) < 250
    assert all(line.startswith(line_about("")) and len(line) > len(line_about("")) for line in given)
    again = TopicLines(vocabulary, share=0.5).of(posts, np.random.default_rng(2))
    assert all(np.array_equal(line, other) for line, other in zip(lines, again, strict=True))
    assert TopicLines(vocabulary, share=0).of(posts, np.random.default_rng(2)) == []


def test_a_small_network_learns_no_topics() -> None:
    with pytest.raises(BadSetting, match="topics"):
        SmallNetwork(TINY, PretrainConfig(topics=0.5), random_checkpoint().weights)


def test_usual_topics_are_what_the_person_writes_of_more_than_others(vocabulary: Vocabulary) -> None:
    kettles = [f"My kettle{'s' * (n % 2)} whistled {n} times in Massachusetts" for n in range(6)]
    others = ["Thanks for the soup", "Thanks, and a good night", "Thanks to", "The shed is new", "I am @kettle #shed"]
    found = usual_topics([*kettles, *others], vocabulary, 10)
    # Forms of one word count once; "Thanks" only begins posts; two posts aren't enough; names and tags are none.
    assert {"whistled", "times", "Massachusetts"} <= set(found) and len({"kettle", "kettles"} & set(found)) == 1
    assert not {"Thanks", "thanks", "shed", "soup", "the", "The"} & set(found)
    assert usual_topics([*kettles, *others], vocabulary, 2) == found[:2]
    assert topics_of(kettles, TINY) == []
