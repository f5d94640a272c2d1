from __future__ import annotations

import pytest

from models_app.ml.config import MAX_VOCABULARY, MIN_VOCABULARY
from models_app.ml.errors import BadSetting
from models_app.ml.vocabulary.bpe import BpeVocabulary
from models_app.ml.vocabulary.learning import learned
from tests.fakes.posts import make_posts

POSTS = [*make_posts(400), *(f"Look https://t.co/aB{number}xY 😀 über uns" for number in range(100))]


def test_frequent_words_become_tokens_and_every_text_comes_back() -> None:
    vocabulary = learned(POSTS, 700)
    assert vocabulary.size == 700
    pieces = [vocabulary.symbol_bytes[symbol] for symbol in vocabulary.encode("Look https://t.co/aB3xY 2026")]
    assert pieces[:2] == [b"Look", b" https://t.co/"]
    # Digits stay apart, so numbers are read the same way whatever their length.
    assert pieces[-3:] == [b"0", b"2", b"6"]
    text = "\tnever seen: 東京 👩🏽‍🚀 <|endoftext|>\n"
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert BpeVocabulary.from_json(vocabulary.to_json()).name == vocabulary.name


def test_the_same_posts_give_the_same_vocabulary_and_others_another() -> None:
    assert learned(POSTS, 700).name == learned(iter(POSTS), 700).name
    assert learned(POSTS[::2], 700).name != learned(POSTS, 700).name


def test_few_posts_give_fewer_symbols() -> None:
    # The bytes, the end mark and " b".
    assert learned(["a b"] * 50, 5000).size == 256 + 1 + 1


@pytest.mark.parametrize("size", [MIN_VOCABULARY - 1, MAX_VOCABULARY + 1])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(BadSetting, match="vocabulary"):
        learned(POSTS, size)
