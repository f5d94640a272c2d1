"""A tiny BPE, trained on our own text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models_app.ml.vocabulary.bpe import BpeVocabulary

TEXT = [
    "The cat pours tea over my keyboard again, and I love it.",
    "I love tea. I love the cat. The cat loves nobody before 10:30.",
    "Über den Wolken gießt die Katze Tee über meine Tastatur 🐈☕️",
    "東京の猫はお茶が好きです。東京の猫は私が好きです。",
    "https://example.org/tea #tea @cat 👩🏽‍🚀 (again!)",
] * 3
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|spare_{number}|>" for number in range(20))]


def trained(symbols: int = 420, *, missing: bytes = b"") -> dict[str, Any]:
    """Return a tokenizer.json as Hugging Face writes it, without the tokens of the given bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=symbols, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    file: dict[str, Any] = json.loads(tokenizer.to_str())
    gone = {
        next(iter(pre_tokenizers.ByteLevel(False, use_regex=False).pre_tokenize_str(chr(byte))))[0] for byte in missing
    }
    names = [token for token in file["model"]["vocab"] if token not in gone]
    file["model"]["vocab"] = {token: place for place, token in enumerate(names)}
    return file


@pytest.fixture(scope="session")
def file() -> dict[str, Any]:
    """tokenizer.json. Don't change it."""
    return trained()


@pytest.fixture(scope="session")
def tiny(file: dict[str, Any]) -> BpeVocabulary:
    return BpeVocabulary.from_json(json.dumps(file))
