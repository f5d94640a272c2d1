from __future__ import annotations

import time

import pytest

from models_app.ml.sampling.mentions import masked
from models_app.ml.words import LINK, MENTION, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t  STOP, don't!", ["dont", "stop", "dont"]),
        ("café CAFE\u0301", ["café", "café"]),
        ("Straße STRASSE ﬁne", ["strasse", "strasse", "fine"]),
        ("see https://example.com/a?b=c and www.example.org now", ["see", "and", "now"]),
        ("thanks @bob, and @ann@mastodon.example!", ["thanks", "and"]),
        ("#winning in 2020 :) 🎉🎉", ["winning", "in", "2020"]),
        ("well-known and/or x.y", ["well", "known", "and", "or", "x", "y"]),
        ("東京は today", ["東", "京", "は", "today"]),
        ("नमस्ते दुनिया", ["नमसत", "दनिया"]),
        (" \n ", []),
        ("👩🏽‍🚀 … !!", []),
    ],
)
def test_words_are_what_is_left_without_case_signs_links_and_names(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "text", ["https://t.co/abc", "http://x", "www.example.org/a", "bit.ly/2xYz", "a.b-c.com/", "δ.example.gr/a"]
)
def test_links_are_found_whole(text: str) -> None:
    found = LINK.search(f"see {text} now")
    assert found is not None and found.group() == text


@pytest.mark.parametrize("text", ["…bit.ly/a", "a..bit.ly/a", "a/bit.ly/a", "(bit.ly/a"])
def test_a_link_is_found_after_signs(text: str) -> None:
    assert [link.group() for link in LINK.finditer(text)] == ["bit.ly/a"]


@pytest.mark.parametrize("piece", ["a-", "a.", "1-", "a.b-", "-", ".", "a..", "@a.", "@a@-", "#a", "/@a"])
def test_no_text_takes_long(piece: str) -> None:
    # It holds up a training, and every other thread of its process. At quadratic time, it would be hours.
    before = time.process_time()
    words(piece * (400_000 // len(piece)))
    masked(piece * (400_000 // len(piece)))
    assert time.process_time() - before < 10


@pytest.mark.parametrize("text", ["example.com", "and/or", "1.5/2", "e.g. this", "wwwhat"])
def test_what_only_looks_like_a_link_is_text(text: str) -> None:
    assert LINK.search(text) is None


@pytest.mark.parametrize("text", ["me@example.com", "f@ck", "$@name", "https://social.example/@ann", "@ me", "@@"])
def test_what_only_looks_like_a_mention_is_text(text: str) -> None:
    assert MENTION.search(text) is None
