from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models_app.ml.config import NetworkConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.vocabulary import UTF8_BYTES, vocabulary_of
from models_app.ml.vocabulary.utf8 import ALLOWED, BOUNDARY, NEXT_STATE, WRITABLE

END = 0xFF


@given(st.text())
@example("\x00 nul, newline\n, emoji 👩🏽‍🚀, flag 🇳🇱, combining e\u0301, \U0010ffff, \ufeff")
def test_every_text_comes_back_exactly(text: str) -> None:
    symbols = UTF8_BYTES.encode(text)
    assert symbols.dtype == UTF8_BYTES.dtype == np.uint8
    assert UTF8_BYTES.end not in symbols
    assert UTF8_BYTES.decode(symbols) == text
    assert UTF8_BYTES.bytes_of(symbols) == len(text.encode())


def test_half_a_surrogate_pair_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"Character 3 .*U\+D83D"):
        UTF8_BYTES.encode("ab\ud83d")


@pytest.mark.parametrize("symbols", [[0xFF], [97, 0xFF], [0xC3], [0x80], [0xC0, 0x80]])
def test_symbols_that_are_no_text_are_refused(symbols: list[int]) -> None:
    with pytest.raises(ValueError):
        UTF8_BYTES.decode(symbols)


def test_the_tables_are_those_of_the_automaton_and_the_end_mark() -> None:
    tables = UTF8_BYTES.tables
    np.testing.assert_array_equal(tables.allowed[:, :END], ALLOWED[:, :END])
    np.testing.assert_array_equal(tables.next_state[tables.allowed], np.where(ALLOWED, NEXT_STATE, 0)[tables.allowed])
    np.testing.assert_array_equal(tables.barred[:, :END], np.where(WRITABLE[:, :END], 0, -np.inf))
    np.testing.assert_array_equal(tables.completed[:, :END], (ALLOWED & (NEXT_STATE == BOUNDARY))[:, :END])


def test_an_end_mark_may_come_only_between_characters() -> None:
    tables = UTF8_BYTES.tables
    assert tables.allowed[BOUNDARY, END] and tables.barred[BOUNDARY, END] == 0
    assert not tables.allowed[1:, END].any() and np.isneginf(tables.barred[1:, END]).all()
    assert tables.next_state[BOUNDARY, END] == BOUNDARY and not tables.completed[:, END].any()


def test_nobody_can_change_the_tables() -> None:
    with pytest.raises(ValueError):
        UTF8_BYTES.tables.barred[0, 0] = 0


def test_a_prompt_needs_no_healing() -> None:
    symbols = UTF8_BYTES.encode("in the midd")
    kept, pending = UTF8_BYTES.heal(symbols)
    np.testing.assert_array_equal(kept, symbols)
    assert pending == b""


def test_the_byte_that_continues_a_text_is_its_first_one() -> None:
    assert UTF8_BYTES.continuing(b"abc").tolist() == [ord("a")]


def test_a_network_names_its_vocabulary() -> None:
    assert vocabulary_of(NetworkConfig()) is UTF8_BYTES
    with pytest.raises(CheckpointError, match=r"bpe-0123456789abcdef isn’t loaded"):
        vocabulary_of(NetworkConfig(vocabulary="bpe-0123456789abcdef"))
