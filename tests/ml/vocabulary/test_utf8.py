from __future__ import annotations

import itertools
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.vocabulary.utf8 import ALLOWED, BOUNDARY, NEXT_STATE, STATES, WRITABLE


def accepts(data: bytes) -> bool:
    state = BOUNDARY
    for byte in data:
        if not ALLOWED[state, byte]:
            return False
        state = NEXT_STATE[state, byte]
    return bool(state == BOUNDARY)


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


def is_writable(character: str) -> bool:
    state, writable = BOUNDARY, True
    for byte in character.encode():
        writable = writable and bool(WRITABLE[state, byte])
        state = NEXT_STATE[state, byte]
    return writable


def test_a_bot_writes_all_characters_but_control_characters() -> None:
    for code in [*range(0xD800), *range(0xE000, 0x110000, 37)]:
        character = chr(code)
        assert is_writable(character) == (unicodedata.category(character) != "Cc" or character == "\n"), code


def test_nothing_is_writable_where_it_is_not_allowed() -> None:
    assert WRITABLE.shape == ALLOWED.shape == (STATES, 256)
    assert not (WRITABLE & ~ALLOWED).any()
