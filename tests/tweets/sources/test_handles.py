from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweets.sources.handles import parse_x_handle


@pytest.mark.parametrize(
    "typed",
    [
        "name_1",
        "@name_1",
        "  @name_1 \n",
        "https://x.com/name_1",
        "http://twitter.com/name_1/",
        "twitter.com/name_1/status/1",
        "mobile.twitter.com/name_1?s=20",
        "https://www.x.com/@name_1",
        "X.com/name_1#top",
        "https://twitter.com/#!/name_1",
    ],
)
def test_it_finds_the_name(typed: str) -> None:
    assert parse_x_handle(typed) == "name_1"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "  ",
        "two words",
        "sixteen_letters_",
        "naïve",
        "name!",
        "https://x.com/",
        "https://x.com/home",
        "x.com/search?q=a",
        "x.com/i/lists/1",
        "https://x.com/settings/account",
        "https://example.com/name",
        "https://x.com.evil.example/name",
        "@@name",
        "name\nother",
    ],
)
def test_it_refuses_with_a_sentence(typed: str) -> None:
    with pytest.raises(ValueError, match=r"[A-Z].*\.$"):
        parse_x_handle(typed)


@given(st.text(max_size=60))
def test_any_text_is_a_handle_or_a_value_error(typed: str) -> None:
    try:
        name = parse_x_handle(typed)
    except ValueError:
        return
    assert name.isascii() and 1 <= len(name) <= 15
