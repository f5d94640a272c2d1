"""The vocabulary of the large networks: a byte-level BPE, as GPT-2 introduced it, with the model's own merges.

Every text comes back exactly, and no text can contain a special symbol: "<|endoftext|>" in a post is encoded as plain
characters. Some tokenizers lack tokens of bytes that were never in their training text, such as control characters.
Unused special tokens stand in for these bytes; a bot never writes them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NoReturn

import numpy as np
from tokenizers import Tokenizer

from models_app.ml.config import MAX_TOP_K
from models_app.ml.errors import CheckpointError, Said, mark

from .utf8 import ALLOWED, utf8
from .vocabulary import Symbols, Vocabulary

#: Names of the end mark in the vocabularies of known models; the first that exists counts.
END_MARKS: Final = ("<|endoftext|>", "<|end_of_text|>", "</s>")
#: The most symbols of a prompt to draw again. More would seldom change the first word, and each takes a step.
MAX_HEALED: Final = 4
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_BYTE_LEVEL: Final = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
#: Matches every character of a text, in words, runs of up to so many digits, and what is between them.
_GPT_4_WORDS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _by(words: str) -> dict[str, Any]:
    """Return the pre-tokenizer that splits a text by this regular expression."""
    split = {"type": "Split", "pattern": {"Regex": words}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, {**_BYTE_LEVEL, "trim_offsets": False, "use_regex": False}]}


_DIGITS: Final = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTE_LEVEL]}
#: How tokenizers in GGUF files split a text into words, by the name that the file gives.
_GGUF_SPLITS: Final[Mapping[str, Mapping[str, Any]]] = {
    "smollm": _DIGITS,
    "gpt-2": _BYTE_LEVEL,
    "refact": _DIGITS,  # Granite 3
    "qwen2": _by(_GPT_4_WORDS % ""),  # Qwen3
    "dbrx": _by(_GPT_4_WORDS % "{1,3}"),  # Granite 4
}
#: Types of tokens in GGUF files.
_GGUF_NORMAL: Final = 1
_GGUF_CONTROL: Final = 3


def _alphabet() -> dict[str, int]:
    """Return the byte that each character of a byte-level token stands for.

    Printable characters of Latin-1 stand for themselves, those from U+0100 on for the other bytes, in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(others)}


_BYTE_OF: Final = _alphabet()
_TO_LATIN: Final = str.maketrans({character: chr(byte) for character, byte in _BYTE_OF.items()})
_OF_BYTES: Final = re.compile(f"[{re.escape(''.join(_BYTE_OF))}]+")
#: The bytes of UTF-8, which need a symbol.
_NEEDED: Final[tuple[int, ...]] = tuple(np.flatnonzero(ALLOWED.any(axis=0)).tolist())


@dataclass(frozen=True, slots=True)
class _Parts:
    """What makes a byte-level BPE.

    tokens: the name of each symbol; added: the names that aren't made by merges, though the file has them; merges:
    pairs of names, most important first; splits: the pre-tokenizer, as in tokenizer.json; whole_words: whether a word
    that is a token is never built by merges; end: the name of the end mark.
    """

    tokens: Sequence[str]
    added: frozenset[str]
    merges: Sequence[tuple[str, str]]
    splits: Mapping[str, Any]
    whole_words: bool
    end: str


class BpeVocabulary(Vocabulary):
    """A symbol is a token of a byte-level BPE."""

    def __init__(self, parts: _Parts) -> None:
        """Use `from_json` or `from_gguf`. Raises CheckpointError for parts that don't make a whole vocabulary."""
        if len(parts.tokens) > MAX_TOP_K:
            _refuse(
                mark("it has %(count)s tokens, and the limit is %(limit)s"), count=len(parts.tokens), limit=MAX_TOP_K
            )
        if parts.end not in parts.tokens:
            _refuse(mark("it has no end mark %(name)s"), name=repr(parts.end))
        self._parts = parts
        self.end = parts.tokens.index(parts.end)
        symbol_bytes = _symbol_bytes(parts)
        if symbol_bytes[self.end]:
            _refuse(mark("its end mark %(name)s can occur in a text"), name=repr(parts.end))
        self._special = frozenset(symbol for symbol, data in enumerate(symbol_bytes) if not data)
        self._tokenizer = _tokenizer(parts, self._special)
        self._byte_symbols = {data[0]: symbol for symbol, data in enumerate(symbol_bytes) if len(data) == 1}
        missing = [byte for byte in _NEEDED if byte not in self._byte_symbols]
        spare = sorted(self._special - {self.end})
        if len(missing) > len(spare) or any(0x80 <= byte < 0xC0 for byte in missing):
            _refuse(mark("some bytes of UTF-8 have no token (%(count)s in all)"), count=len(missing))
        # From the last one on: the first ones of a chat model are the most harmful to misunderstand.
        for byte, symbol in zip(missing, reversed(spare), strict=False):
            symbol_bytes[symbol], self._byte_symbols[byte] = bytes([byte]), symbol
        self.symbol_bytes = symbol_bytes
        self.unwritable = frozenset(self._byte_symbols[byte] for byte in missing)
        self._odd = re.compile("([" + "".join(map(_characters_of, missing)) + "])") if missing else None
        self.name = f"bpe-{_digest(parts, self._special)[:16]}"
        probe = (
            "".join(map(chr, range(0x180)))
            + " It's 2026,  don't\r\n\tworry \n\n Ünï 東京 👩🏽‍🚀🇳🇱 e\u0301\ufeff\U0010ffff"
        )
        if self.decode(self.encode(probe)) != probe:
            _refuse(mark("a text doesn’t come back exactly"))

    @classmethod
    def from_json(cls, text: str, *, end: str | None = None, size: int | None = None) -> BpeVocabulary:
        """Return the vocabulary of a Hugging Face tokenizer.json, which may come from `to_json`.

        `end` is the token to use as the end mark, by default the one that the file appends to texts, else a known one.
        `size` is the number of symbols of the network, if it has more than the tokenizer. Raises CheckpointError unless
        it's a byte-level BPE that keeps every text exactly.
        """
        try:
            return cls(_parts_of(json.loads(text), end, size))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(mark("tokenizer.json can’t be read: %(reason)s."), reason=repr(error)) from error

    @classmethod
    def from_gguf(cls, fields: Mapping[str, Any], *, end: str = END_MARKS[0]) -> BpeVocabulary:
        """Return the vocabulary of a GGUF file, given its fields `tokenizer.ggml.*` by name.

        Raises CheckpointError unless it's a byte-level BPE of a known kind.
        """
        kind, splits = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre", "gpt-2")
        if kind != "gpt2":
            _refuse(mark("the GGUF file has one of kind %(kind)s"), kind=repr(kind))
        if splits not in _GGUF_SPLITS:
            _refuse(
                mark("the GGUF file splits words as %(splits)s, and only %(known)s are known"),
                splits=repr(splits),
                known=", ".join(_GGUF_SPLITS),
            )
        merges = [_pair(merge) for merge in fields["tokenizer.ggml.merges"]]
        tokens = tuple(fields["tokenizer.ggml.tokens"])
        return cls(_Parts(tokens, frozenset(), merges, _GGUF_SPLITS[splits], False, end))

    def to_json(self) -> str:
        """Return the vocabulary as a Hugging Face tokenizer.json, which says what the end mark is."""
        vocabulary = {token: symbol for symbol, token in enumerate(self._parts.tokens)}
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        special = [
            {"id": symbol, "content": self._parts.tokens[symbol], **flags, "special": True}
            for symbol in sorted(self._special)
        ]
        file = _file(self._parts, vocabulary) | {"added_tokens": special, "post_processor": _ending_with(self._parts)}
        return json.dumps(file, ensure_ascii=False, separators=(",", ":"))

    def to_gguf(self) -> dict[str, Any]:
        """Return the vocabulary as the fields of a GGUF file. The end mark begins and ends each text.

        Raises CheckpointError for a vocabulary that llama.cpp doesn't know.
        """
        parts = self._parts
        own = _steps(parts.splits)
        splits = next((name for name, splits in _GGUF_SPLITS.items() if _steps(splits) == own), None)
        if splits is None or parts.whole_words:
            raise CheckpointError(
                mark(
                    "A GGUF file can’t hold this model’s tokenizer. Known are those that split words as %(known)s. "
                    "Download the adapter instead."
                ),
                known=", ".join(_GGUF_SPLITS),
            )
        return {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": splits,
            "tokenizer.ggml.tokens": list(parts.tokens),
            "tokenizer.ggml.token_type": [
                _GGUF_CONTROL if symbol in self._special else _GGUF_NORMAL for symbol in range(self.size)
            ],
            "tokenizer.ggml.merges": [" ".join(pair) for pair in parts.merges],
            "tokenizer.ggml.bos_token_id": self.end,
            "tokenizer.ggml.eos_token_id": self.end,
            "tokenizer.ggml.add_bos_token": True,
            "tokenizer.ggml.add_space_prefix": False,
        }

    def encode(self, post: str) -> Symbols:
        utf8(post)
        symbols: list[int] = []
        parts = self._odd.split(post) if self._odd else [post]
        for place, part in enumerate(parts):
            if place % 2:  # a character with a byte that has no token of its own
                symbols += [self._byte_symbols[byte] for byte in part.encode()]
            elif part:
                symbols += self._tokenizer.encode(part, add_special_tokens=False).ids
        return np.array(symbols, self.dtype)

    def heal(self, symbols: Symbols) -> tuple[Symbols, bytes]:
        """Return the symbols without those of the last word, up to four, and the bytes of those.

        Never drops a character that a bot may not write, because nothing could be drawn for it.
        """
        text = self.decode(symbols.tolist())
        if not text:
            return symbols, b""
        words = self._tokenizer.pre_tokenizer.pre_tokenize_str(text)  # in characters of `_BYTE_OF`
        kept_characters = max((found.end() for found in self._unwritable_text.finditer(text)), default=0)
        least = max(len(utf8(text)) - len(words[-1][0]), len(utf8(text[:kept_characters])))
        count, pending = len(symbols), b""
        left = len(utf8(text))
        while count and len(symbols) - count < MAX_HEALED:
            data = self.symbol_bytes[int(symbols[count - 1])]
            if left - len(data) < least:
                break
            count, left, pending = count - 1, left - len(data), data + pending
        return symbols[:count], pending

    @cached_property
    def _unwritable_text(self) -> re.Pattern[str]:
        odd = f"|{self._odd.pattern}" if self._odd else ""
        return re.compile(_CONTROL.pattern + odd)


def _refuse(why: str, **values: object) -> NoReturn:
    """Raise CheckpointError. `why`: a template of the reason, marked for translation."""
    raise CheckpointError(
        mark(
            "This tokenizer can’t be used: %(why)s. Choose a model with a byte-level BPE, such as SmolLM2, or the "
            "Hugging Face directory of a Llama 3."
        ),
        why=Said(why, **values),
    )


def _symbol_bytes(parts: _Parts) -> list[bytes]:
    """Return the bytes of each symbol, empty for those that no text contains."""
    known = set(parts.tokens)
    if len(known) < len(parts.tokens):
        _refuse(mark("two tokens have the same name"))
    made = {first + second for first, second in parts.merges}
    if unknown := (made | {part for merge in parts.merges for part in merge}) - known:
        _refuse(mark("its merges need tokens that it doesn’t have, such as %(name)s"), name=repr(min(unknown)))
    found = []
    for token in parts.tokens:
        plain = token in made or (parts.whole_words and token not in parts.added)
        if token in _BYTE_OF or plain:
            if not _OF_BYTES.fullmatch(token):
                _refuse(mark("its token %(name)s contains a character that stands for no byte"), name=repr(token))
            found.append(token.translate(_TO_LATIN).encode("latin-1"))
        else:
            found.append(b"")
    return found


def _digest(parts: _Parts, special: frozenset[int]) -> str:
    """Return a fingerprint of all that makes the vocabulary."""
    merges = map(" ".join, parts.merges)
    rest = json.dumps([parts.splits, parts.whole_words, parts.end, sorted(special)], sort_keys=True)
    return hashlib.sha256("\n".join([*parts.tokens, "", *merges, "", rest]).encode()).hexdigest()


def _tokenizer(parts: _Parts, special: frozenset[int]) -> Tokenizer:
    """Return a tokenizer that doesn't know the special symbols."""
    vocabulary = {token: symbol for symbol, token in enumerate(parts.tokens) if symbol not in special}
    try:
        return Tokenizer.from_str(json.dumps(_file(parts, vocabulary), ensure_ascii=False))
    except Exception as error:  # the library has no class of its own
        _refuse(mark("its file can’t be read (%(reason)s)"), reason=str(error))


def _characters_of(byte: int) -> str:
    """Return the characters whose UTF-8 begins with this byte, as a range of a regular expression."""
    if byte < 0x80:
        first = last = byte
    elif byte < 0xE0:
        first = (byte & 0x1F) << 6
        last = first + 0x3F
    elif byte < 0xF0:
        first = (byte & 0x0F) << 12
        last = first + 0xFFF
    else:
        first = (byte & 0x07) << 18
        last = first + 0x3FFFF
    least = 0x800 if byte == 0xE0 else 0x10000 if byte == 0xF0 else 0
    return rf"\U{max(first, least):08x}-\U{min(last, 0x10FFFF):08x}"


def _file(parts: _Parts, vocabulary: Mapping[str, int]) -> dict[str, Any]:
    """Return the content of tokenizer.json, without special symbols and end mark."""
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": parts.whole_words,
        "vocab": vocabulary,
        "merges": [" ".join(merge) for merge in parts.merges],
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": parts.splits,
        "post_processor": None,
        "decoder": {**_BYTE_LEVEL, "add_prefix_space": True},
        "model": model,
    }


def _ending_with(parts: _Parts) -> dict[str, Any]:
    """Return the post-processor that appends the end mark to each text."""
    mark = {"SpecialToken": {"id": parts.end, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    symbol = {"id": parts.end, "ids": [parts.tokens.index(parts.end)], "tokens": [parts.end]}
    return {
        "type": "TemplateProcessing",
        "single": [first, mark],
        "pair": [first, mark, second, mark],
        "special_tokens": {parts.end: symbol},
    }


def _parts_of(file: Mapping[str, Any], end: str | None, size: int | None) -> _Parts:
    model, splits = file["model"], file.get("pre_tokenizer")
    if model.get("type", "BPE") != "BPE":
        _refuse(mark("it’s of kind %(kind)s"), kind=repr(model["type"]))
    # NFC is left out, because each text must come back exactly. Posts usually have this form since their import.
    if (normalizer := file.get("normalizer")) and normalizer.get("type") != "NFC":
        _refuse(mark("it changes texts before it reads them (%(step)s)"), step=normalizer.get("type"))
    if any(model.get(name) for name in ("byte_fallback", "continuing_subword_prefix", "end_of_word_suffix")):
        _refuse(mark("it isn’t a byte-level BPE"))
    _check_splits(splits)
    added = {token["content"]: int(token["id"]) for token in file.get("added_tokens", [])}
    names = {int(symbol): token for token, symbol in (model["vocab"] | added).items()}
    if not names or min(names) < 0 or max(names) >= MAX_TOP_K or (size or 0) > MAX_TOP_K:
        _refuse(mark("its tokens aren’t numbered from 0 to %(limit)s at most"), limit=MAX_TOP_K - 1)
    if size is not None and size <= max(names):
        _refuse(
            mark("it has a token number %(number)s, but the network has only %(size)s symbols"),
            number=max(names),
            size=size,
        )
    count = size or max(names) + 1
    tokens = tuple(names.get(symbol, f"<|unused_{symbol}|>") for symbol in range(count))
    unnamed = frozenset(token for symbol, token in enumerate(tokens) if symbol not in names)
    end = end or _end_in(file) or next((name for name in END_MARKS if name in tokens), END_MARKS[0])
    merges = [_pair(merge) for merge in model["merges"]]
    return _Parts(tokens, frozenset(added) | unnamed, merges, splits or {}, bool(model.get("ignore_merges")), end)


def _steps(splits: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return the steps of a pre-tokenizer, in one form for all that split alike."""
    steps = splits["pretokenizers"] if splits and splits["type"] == "Sequence" else [splits or {}]
    return [_plain(step) for step in steps]


def _plain(step: Mapping[str, Any]) -> Mapping[str, Any]:
    if step.get("type") == "ByteLevel":
        # Offsets are asked for nowhere.
        return {**step, "trim_offsets": True}
    if step.get("behavior") == "Removed" and step.get("invert") and step["pattern"].get("Regex") in _WHOLE:
        # Nothing is between the matches, so nothing is lost if that is removed.
        return {**step, "behavior": "Isolated", "invert": False}
    return step


#: Regular expressions that match every character.
_WHOLE: Final = frozenset(_GPT_4_WORDS % digits for digits in ("", "{1,3}"))


def _check_splits(splits: Mapping[str, Any] | None) -> None:
    """Raise CheckpointError unless the pre-tokenizer keeps every character and ends with bytes."""
    *before, last = _steps(splits)
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space", True):
        _refuse(mark("it isn’t a byte-level BPE, or it adds a space to each text"))
    for step in before:
        if step["type"] not in ("Digits", "Split") or step.get("behavior") == "Removed":
            _refuse(mark("it may drop characters (%(step)s)"), step=step["type"])


def end_of(tokenizer: str) -> str | None:
    """Return the token that texts end with, given a tokenizer.json from `to_json`."""
    return _end_in(json.loads(tokenizer))


def _end_in(file: Mapping[str, Any]) -> str | None:
    """Return the token that the file appends to texts."""
    template = (file.get("post_processor") or {}).get("single") or []
    last = template[-1] if template and isinstance(template[-1], dict) else {}
    token = last.get("SpecialToken", {}).get("id")
    return token if isinstance(token, str) else None


def _pair(merge: str | Sequence[str]) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second
