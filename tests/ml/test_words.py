from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("text", ["https://t.co/abc", "http://x", "www.example.org/a", "bit.ly/2xYz", "a.b-c.com/"])
def test_links_are_found_whole(text: str) -> None:
    found = LINK.search(f"see {text} now")
    assert found is not None and found.group() == text


@pytest.mark.parametrize("text", ["example.com", "and/or", "1.5/2", "e.g. this", "wwwhat"])
def test_what_only_looks_like_a_link_is_text(text: str) -> None:
    assert LINK.search(text) is None


@pytest.mark.parametrize("text", ["me@example.com", "f@ck", "$@name", "https://social.example/@ann", "@ me", "@@"])
def test_what_only_looks_like_a_mention_is_text(text: str) -> None:
    assert MENTION.search(text) is None
