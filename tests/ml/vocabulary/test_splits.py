"""Tokenizers of Qwen3 and Granite, which split a text into words in other ways and compose its characters first."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models_app.ml.errors import CheckpointError
from models_app.ml.vocabulary.bpe import BpeVocabulary, end_of

from .conftest import TEXT, trained

#: As in the publishers' tokenizer.json, by the names in GGUF files.
WORDS: Final = {
    "qwen2": (
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    ),
    "dbrx": (
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    ),
}
TEXTS: Final = [*TEXT, "I don't THINK it'S  12345 cats\n\n…  or\t\r\n10:30!!!\n", "café, naïve   ", "Ⅻ ½ ²³ ٣٤٥ ４２"]
DECOMPOSED: Final = "cafe\u0301 A\u030a \u212b \u1100\u1161"


def publishers(name: str, **changes: Any) -> dict[str, Any]:
    """Return a tokenizer.json that splits like this; `changes` are to its step that splits."""
    split = {"type": "Split", "pattern": {"Regex": WORDS[name]}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    file = trained()
    # Merges across words that only these tokenizers have: digits, and a space before a line feed.
    for pair in (("1", "2"), ("12", "3"), ("3", "4"), ("Ċ", "Ċ"), ("!", "!"), ("!!", "Ċ"), ("Ġ", "Ġ")):
        if "".join(pair) not in file["model"]["vocab"]:
            file["model"]["vocab"]["".join(pair)] = len(file["model"]["vocab"])
            file["model"]["merges"].append(list(pair))
    steps = {"type": "Sequence", "pretokenizers": [split | changes, level]}
    return file | {"normalizer": {"type": "NFC"} if name == "qwen2" else None, "pre_tokenizer": steps}


def fields(name: str) -> dict[str, Any]:
    """Return the fields of a GGUF file of the same tokenizer."""
    model = publishers(name)["model"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": name,
        "tokenizer.ggml.tokens": sorted(model["vocab"], key=model["vocab"].__getitem__),
        "tokenizer.ggml.merges": [" ".join(merge) for merge in model["merges"]],
    }


VOCABULARIES: Final = {
    f"{name} from {kind}": (name, made)
    for name in WORDS
    for kind, made in (
        ("json", BpeVocabulary.from_json(json.dumps(publishers(name)))),
        ("gguf", BpeVocabulary.from_gguf(fields(name))),
    )
}
EACH = pytest.mark.parametrize(("name", "vocabulary"), VOCABULARIES.values(), ids=VOCABULARIES)


@EACH
@pytest.mark.parametrize("text", TEXTS)
def test_symbols_are_those_of_the_publishers_tokenizer(name: str, vocabulary: BpeVocabulary, text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)
    expected = Tokenizer.from_str(json.dumps(publishers(name))).encode(text, add_special_tokens=False).ids
    assert vocabulary.encode(text).tolist() == expected


@EACH
@given(text=st.text())
@example(text=DECOMPOSED)
@example(text=" ".join(TEXTS))
def test_every_text_comes_back_exactly(name: str, vocabulary: BpeVocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text).tolist()) == text
    kept, pending = vocabulary.heal(vocabulary.encode(text))
    assert b"".join(vocabulary.symbol_bytes[symbol] for symbol in kept) + pending == text.encode()


def test_characters_that_are_not_composed_stay_as_they_are() -> None:
    file = publishers("qwen2")
    vocabulary = BpeVocabulary.from_json(json.dumps(file))
    whole = Tokenizer.from_str(json.dumps(file)).encode(DECOMPOSED, add_special_tokens=False).ids
    composed = unicodedata.normalize("NFC", DECOMPOSED)
    assert composed != DECOMPOSED and vocabulary.decode(whole) == composed, "the publisher's tokenizer changes them"
    assert vocabulary.decode(vocabulary.encode(DECOMPOSED).tolist()) == DECOMPOSED


@pytest.mark.parametrize("name", WORDS)
def test_both_files_make_the_same_vocabulary_which_is_stored_and_read_again(name: str) -> None:
    one, other = (VOCABULARIES[f"{name} from {kind}"][1] for kind in ("json", "gguf"))
    assert one.to_gguf() == other.to_gguf() and one.to_gguf()["tokenizer.ggml.pre"] == name
    for vocabulary in (one, other):
        again = BpeVocabulary.from_json(vocabulary.to_json())
        assert again.name == vocabulary.name
        np.testing.assert_array_equal(again.encode(" ".join(TEXTS)), vocabulary.encode(" ".join(TEXTS)))
        assert end_of(vocabulary.to_json()) == "<|endoftext|>"


def test_what_is_between_the_words_may_be_removed_only_if_nothing_is_there() -> None:
    removed = {"behavior": "Removed", "invert": True}
    vocabulary = BpeVocabulary.from_json(json.dumps(publishers("dbrx", **removed)))
    text = " ".join(TEXTS)
    np.testing.assert_array_equal(vocabulary.encode(text), VOCABULARIES["dbrx from json"][1].encode(text))
    assert vocabulary.to_gguf()["tokenizer.ggml.pre"] == "dbrx"
    for changes in ({"behavior": "Removed"}, removed | {"pattern": {"Regex": "\\p{L}+"}}):
        with pytest.raises(CheckpointError, match="may drop characters"):
            BpeVocabulary.from_json(json.dumps(publishers("dbrx", **changes)))


def test_granite_3_splits_like_smollm2() -> None:
    smollm, refact = (
        BpeVocabulary.from_gguf(fields("dbrx") | {"tokenizer.ggml.pre": name}) for name in ("smollm", "refact")
    )
    assert refact.name == smollm.name
