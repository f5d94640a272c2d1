from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.sampling.mentions import MASK, masked
from models_app.ml.words import MENTION


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hi @bob!", "hi @…!"),
        ("@a_1 and @Ann@social.example, bye", "@… and @…, bye"),
        (".@bob (@ann) RT @Cy: so", ".@… (@…) RT @…: so"),
        ("@bob@ann@cy ＠dee＠eve", "@… @…"),
        ("write to me@example.com, f@ck it", "write to me@example.com, f@ck it"),
        ("https://social.example/@ann", "https://social.example/@ann"),
        ("@ me, @… and 5@", "@ me, @… and 5@"),
        ("dinner w/@bobsmith and/or/@ann", "dinner w/@… and/or/@…"),
        ("RT@bobsmith: hi, rt@ann", "RT@…: hi, rt@…"),
        ("RT:@bob (RT@ann) éRT@cy", "RT:@… (RT@…) éRT@…"),
        ("hi @alice.smith.com, @al-ice.bsky.social.", "hi @…, @…."),
        ("@na.me@social.example @na-me@ser-ver.example!", "@… @…!"),
        ("Nice day @bob.Then we @ann. then @cy-", "Nice day @….Then we @…. then @…-"),
        ("START@bob x-rt@bob .RT@bob", "START@bob x-rt@bob .RT@bob"),
        ("see t.example/@bob and http://a.example/RT@bob", "see t.example/@bob and http://a.example/RT@bob"),
        ("*@alice@mastodon.social* **@bobsmith**", "*@…* **@…**"),
        ("hey !@bob #@bob $@bob %@bob &@bob", "hey !@… #@… $@… %@… &@…"),
        ("thanks @alice&@bob", "thanks @…&@…"),
        ("@alice@@bob @@al.ice.dev ＠＠bob", "@…@@… @@… ＠@…"),
        ("what the !@#$%&*@! is f@ck", "what the !@#$%&*@! is f@ck"),
    ],
)
def test_each_name_is_hidden_and_all_else_stays(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        ("@Bob says", "@Bob says @bob and @ann", "@Bob says @bob and @…"),
        ("hi @al", "hi @alice and @al", "hi @al… and @al"),
        ("hi @", "hi @alice", "hi @…"),
        ("@al", "@al", "@al"),
        ("", "@al", "@…"),
        (
            "to @alice.bsky.social ",
            "to @alice.bsky.social @Alice.bsky.social @alice.dev",
            "to @alice.bsky.social @Alice.bsky.social @…",
        ),
        ("hi @alice.bs", "hi @alice.bsky.social", "hi @alice.bs…"),
        ("w/@Al", "w/@Al, @al and RT@bob", "w/@Al, @al and RT@…"),
        ("*@Al*", "*@Al* @al #@al &@bob", "*@Al* @al #@al &@…"),
        ("hi @", "hi @@alice", "hi @@…"),
    ],
)
def test_whom_the_prompt_names_may_be_named(prompt: str, text: str, expected: str) -> None:
    assert masked(text, prompt=prompt) == expected


#: What Mastodon notifies, whatever server it's on (Account::MENTION_RE).
ON_MASTODON = re.compile(r"(?<![=/\w])@[a-z0-9_]+(?:[a-z0-9_.-]+[a-z0-9_]+)?", re.IGNORECASE)


@given(st.text("@＠ab_.-/ é…\nRT!#&*"))
def test_nobody_is_left_and_no_post_gets_longer(text: str) -> None:
    result = masked(text)
    assert len(result) <= len(text)
    assert MENTION.search(result) is None
    assert ON_MASTODON.search(result) is None
    assert result.count(MASK) - text.count(MASK) >= len(MENTION.findall(text))
