from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.networks.hashed_ngrams import Contexts, rows_of
from models_app.ml.vocabulary import UTF8_BYTES
from models_app.ml.vocabulary.utf8_bytes import END

CONTEXTS = (1, 2, 3, 4, 5, 6, 0)
BYTES = Contexts(CONTEXTS)
#: Of a vocabulary whose number of symbols isn't a power of two.
TOKENS = Contexts((1, 2, 3), size=8_200, end=5)
ROWS = 2**14


def keys_after(symbols: Any, contexts: Contexts = BYTES) -> Any:
    """The keys (contexts,) after these symbols, taken one by one."""
    keys = contexts.start[None]
    for symbol in symbols:
        keys = contexts.next(keys, np.array([symbol], np.int64))
    return keys[0]


@given(before=st.binary(max_size=9), post=st.text(max_size=9))
def test_contexts_start_anew_at_a_post(before: bytes, post: str) -> None:
    after_others = keys_after([*before, END, *UTF8_BYTES.encode(post)])
    np.testing.assert_array_equal(after_others, keys_after(UTF8_BYTES.encode(post)))


def test_a_context_is_its_last_bytes_and_nothing_before_them() -> None:
    assert CONTEXTS[:6] == (1, 2, 3, 4, 5, 6)
    for place, order in enumerate((1, 2, 3, 4, 5, 6)):
        one, other = keys_after(b"xyz abcdefg"), keys_after(b"qrstu" + b"abcdefg"[-order:])
        assert one[place] == other[place]
        assert one[place] != keys_after(b"xyz abcdef!" + b"abcdefg"[8 - order :])[place]


@pytest.mark.parametrize("space", [b" ", b"\n"])
def test_the_word_so_far_begins_behind_a_space_or_line_end(space: bytes) -> None:
    assert keys_after(b"one" + space + b"wor")[-1] == keys_after(b"wor")[-1]
    assert keys_after(b"one" + space)[-1] == 0
    assert keys_after(b"onewor")[-1] != keys_after(b"wor")[-1]


@pytest.mark.parametrize("place", range(3, 7))
def test_rows_are_in_the_table_and_spread_evenly(place: int) -> None:
    words = [keys_after(f"{number}ab"[: max(4, CONTEXTS[place])].encode())[place] for number in range(1000, 5000)]
    rows = rows_of(np.array(words), 256)
    assert rows.min() >= 0 and rows.max() <= 255
    counts = np.bincount(rows, minlength=256)
    expected = 4000 / 256
    assert ((counts - expected) ** 2 / expected).sum() < 2 * 255  # of a chi-square with 255 degrees of freedom


def test_contexts_of_tokens_are_the_last_tokens() -> None:
    before, last = [8_199, 6, 7, 8_000], [1, 8_198, 4]
    for place, order in enumerate(TOKENS.orders):
        other = [*last[:-order], *([9] * 3), *last[-order:]]
        assert keys_after(before + last, TOKENS)[place] == keys_after(other, TOKENS)[place]
        changed = [*before, *last[:-order], last[-order] + 1, *last[len(last) - order + 1 :]]
        assert keys_after(before + last, TOKENS)[place] != keys_after(changed, TOKENS)[place]
    # A post begins with end marks only, whatever came before.
    np.testing.assert_array_equal(keys_after([*before, 5], TOKENS), keys_after([], TOKENS))
    np.testing.assert_array_equal(keys_after([5, 5, 5], TOKENS), TOKENS.start)
    assert len(set(TOKENS.start.tolist())) == 3 and TOKENS.start[0] == 5
