from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.sampling.mentions import MASK, adds, masked, without
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
    ("prompt", "added", "expected"),
    [
        ("@Bob says", " hi, and 5@", False),
        ("@Bob says", " hi @bob", True),
        ("hi @al", "ice", True),
        ("hi @", "alice", True),
        ("hi @alice", ".bsky.social", True),
        ("hi @alice", " and so on", False),
        ("", "@al", True),
        ("", "write to me@example.com, https://social.example/@ann", False),
        ("w/@Al", " and RT@bob", True),
        ("", "＠wide", True),
    ],
)
def test_it_finds_whom_a_bot_adds_to_its_prompt(prompt: str, added: str, expected: bool) -> None:
    assert adds(prompt + added, prompt) is expected


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("@bob @ann@social.example: thanks a lot", "thanks a lot"),
        (".@bob, look", "look"),
        ("@… thanks", "thanks"),
        ("no name here", "no name here"),
        ("I love @bob", "I love @…"),
        ("@bob I love @ann", "I love @…"),
        ("RT @bob: so", "RT @…: so"),
        (" @…", ""),
        ("@bob", ""),
    ],
)
def test_a_real_post_loses_the_names_that_it_begins_with(post: str, expected: str) -> None:
    assert without(post) == expected


#: What Mastodon notifies, whatever server it's on (Account::MENTION_RE).
ON_MASTODON = re.compile(r"(?<![=/\w])@[a-z0-9_]+(?:[a-z0-9_.-]+[a-z0-9_]+)?", re.IGNORECASE)


@given(st.text("@＠ab_.-/ é…\nRT!#&*"))
def test_nobody_is_left_and_no_post_gets_longer(text: str) -> None:
    result = masked(text)
    assert adds(text, "") is (result != text)
    assert len(result) <= len(text)
    assert MENTION.search(result) is None
    assert ON_MASTODON.search(result) is None
    assert result.count(MASK) - text.count(MASK) >= len(MENTION.findall(text))
