"""Learn a vocabulary of tokens from posts: a byte-level BPE for the small networks.

A token is a frequent run of bytes, so a network of tokens makes a third of the steps and sees whole words (Sennrich et
al. 2016, arXiv:1508.07909).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from models_app.ml.config import vocabulary_to_learn

from .bpe import END_MARKS, BpeVocabulary

#: The rarer tokens hardly change with more posts.
POSTS: Final = 400_000
#: No token crosses these: words with the space before them, digits one by one, signs, what links begin with. It means
#: the same in JavaScript (static/js/in-browser/vocabulary.js).
_WORDS: Final = (
    r"""'(?:[sdmt]|ll|ve|re)| ?https?://t\.co/| ?[\p{L}\p{M}]+| ?\p{N}| ?[^\p{White_Space}\p{L}\p{N}]|\p{White_Space}"""
)


def learned(posts: Iterable[str], size: int) -> BpeVocabulary:
    """Return a vocabulary of up to `size` symbols for texts like these posts. The same posts give the same one.

    It has fewer symbols if the posts are too few for as many. Raises BadSetting for a size that no vocabulary can have.
    """
    vocabulary_to_learn(size)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END_MARKS[0]],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(posts, trainer)
    return BpeVocabulary.from_json(tokenizer.to_str(), end=END_MARKS[0])
