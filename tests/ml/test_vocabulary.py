from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models_app.ml.vocabulary import ALLOWED, BOUNDARY, END, NEXT_STATE, decode, encode


@given(st.text())
@example("\x00 nul, newline\n, emoji 👩🏽‍🚀, flag 🇳🇱, combining e\u0301, \U0010ffff, \ufeff")
def test_every_text_comes_back_exactly(text: str) -> None:
    symbols = encode(text)
    assert symbols.dtype == np.uint8
    assert END not in symbols
    assert decode(symbols) == text


def test_half_a_surrogate_pair_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"Character 3 .*U\+D83D"):
        encode("ab\ud83d")


def accepts(data: bytes) -> bool:
    state = BOUNDARY
    for byte in data:
        if byte == END or not ALLOWED[state, byte]:
            return False
        state = NEXT_STATE[state, byte]
    return bool(ALLOWED[state, END])


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def test_the_automaton_accepts_exactly_utf8_in_all_strings_of_two_bytes() -> None:
    for pair in itertools.product(range(256), repeat=2):
        assert accepts(bytes(pair)) == is_utf8(bytes(pair)), pair


def test_the_automaton_accepts_exactly_utf8_at_the_edges_of_each_range() -> None:
    edges = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xEC, 0xED, 0xEF, 0xF0, 0xF4, 0xF5]
    for length in (3, 4):
        for first in range(0xC0, 0x100):
            for rest in itertools.product(edges, repeat=length - 1):
                data = bytes((first, *rest))
                assert accepts(data) == is_utf8(data), data


@given(st.binary(max_size=12))
def test_the_automaton_accepts_exactly_utf8_in_random_bytes(data: bytes) -> None:
    assert accepts(data) == is_utf8(data)


@given(st.text())
def test_the_automaton_accepts_every_text(text: str) -> None:
    assert accepts(text.encode())


def test_an_end_mark_may_come_only_between_characters() -> None:
    assert ALLOWED[BOUNDARY, END]
    assert not ALLOWED[1:, END].any()
