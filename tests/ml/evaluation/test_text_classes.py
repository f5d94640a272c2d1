from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.evaluation.text_classes import KINDS, kinds_of


def told(post: str) -> list[tuple[str, str]]:
    """The runs of one kind, as (kind, text); the end mark is ⏎."""
    kinds, _ = kinds_of(post)
    runs: list[tuple[str, str]] = []
    for character, kind in zip(f"{post}⏎", kinds, strict=True):
        if runs and runs[-1][0] == KINDS[kind]:
            runs[-1] = (KINDS[kind], runs[-1][1] + character)
        else:
            runs.append((KINDS[kind], character))
    return runs


def test_each_character_is_of_one_kind() -> None:
    assert told("RT @ann: it's 10:30, see https://example.org/@bob?x=1 #now 👋") == [
        ("words", "RT"),
        ("the rest", " "),
        ("names", "@ann"),
        ("the rest", ": "),
        ("words", "it's"),
        ("the rest", " "),
        ("numbers", "10:30,"),
        ("the rest", " "),
        ("words", "see"),
        ("the rest", " "),
        ("links", "https://example.org/@bob?x=1"),
        ("the rest", " "),
        ("hashtags", "#now"),
        ("the rest", " 👋"),
        ("end marks", "⏎"),
    ]


@given(st.text(max_size=40))
def test_sizes_are_those_of_utf_8(post: str) -> None:
    kinds, sizes = kinds_of(post)
    assert kinds.shape == sizes.shape == (len(post) + 1,)
    np.testing.assert_array_equal(sizes[:-1], [len(character.encode()) for character in post])
    assert KINDS[kinds[-1]] == "end marks" and sizes[-1] == 1
