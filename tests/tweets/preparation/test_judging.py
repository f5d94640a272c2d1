"""Judging many posts at a time gives what the product's cleaner gives for each."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tweets.cleaning import Cleaner, CleaningRules, Duplicates, Form, Links, clean_text, duplicates
from tweets.cleaning.text import light_cleaner
from tweets.preparation import Recipe
from tweets.preparation.batch import batch_of
from tweets.preparation.characters import DIGIT, END, WILD, table
from tweets.preparation.judging import Judge, Judged
from tweets.preparation.light import LightCleaner
from tweets.preparation.likeness import bands_of_long, looks_of
from tweets.sources.base import Post

PIECES = (
    "the day",
    "A",
    "straße",
    "naïve",
    "ﬁne",
    "日本語のテキスト",
    "e\u0301",
    "❤️",
    "👩\u200d💻",
    "👋🏽",
    "\u200b",
    "\ufffd",
    "¼",
    "٣٤٥٦٧٨٩",
    "@bob",
    "@bob@example.social",
    "＠bob",
    "RT @bob: hi",
    "MT@bob",
    "via @bob",
    "(via @bob)",
    "Via",
    "a @bob",
    "@bob.com",
    "RT\n@bob",
    "#runkeeper",
    "#nowplaying song",
    "♫ song",
    "Wordle 213 4/6",
    "The Daily Planet is out!",
    "I just liked a video",
    "https://t.co/aBcDeFgHiJ",
    "http://example.com/a?b=c",
    "pic.twitter.com/abc",
    "htt…",
    "http…",
    "HTTPS:/…",
    "(https://t.co/aBcDeFgHiJ)",
    "…",
    "&amp;",
    "&lt;3",
    "&",
    "and/or",
    "  ",
    "\n",
    "\t",
    ".",
    ":",
    "=",
    "-",
    "bob@example.com",
    "bob at gmail dot com",
    "bob [at] example [dot] org",
    "bob { @\n} example.com",
    "bob dot b at gmx.de",
    "bob at gmaİl.com",
    "bob@example.com-",
    "mail me",
    "+1 415 555 2671",
    "call 555 867 5309",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "123-45-6789",
    "123\u201145\u20116789",
    "call 555\u20120142",
    "@al-ice.bsky.social",
    "@na.me@ex-ample.social",
    "8.8.8.8",
    "93.184.216.34",
    "2001:4860:4860::8888",
    "password: hunter2x",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-1234567890",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "-----BEGIN PRIVATE KEY-----",
    "[link]",
    "[phone]",
    "10:30",
    "2024",
    '"',
)
TEXTS = st.one_of(
    st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from([" ", " ", " ", ""])), max_size=14).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=10).map(" ".join),
    st.text(max_size=40),
)
KEEP_ALL = replace(Recipe().rules, duplicates=Duplicates.KEEP)


def judged(texts: list[str], rules: CleaningRules) -> Judged:
    return Judge(Recipe(rules)).judge(batch_of(texts))


def kept(found: Judged) -> list[str]:
    ends = np.cumsum(found.records["size"]).tolist()
    return [found.texts[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]


def one_by_one(texts: list[str], rules: CleaningRules) -> tuple[list[str], dict[str, int], dict[str, int]]:
    cleaner = Cleaner(rules)
    left: list[str] = []
    dropped: dict[str, int] = {}
    masked: dict[str, int] = {}
    for text in texts:
        plain = text.replace("\x00", " ")
        post = Post("", plain, None, is_repost=plain.startswith("RT @"), is_reply=plain.startswith("@"))
        cleaned = cleaner.clean(post)
        if cleaned.dropped is None:
            left.append(cleaned.text)
            for kind in cleaned.masked:
                masked[kind] = masked.get(kind, 0) + 1
        else:
            dropped[cleaned.dropped] = dropped.get(cleaned.dropped, 0) + 1
    return left, dropped, masked


@pytest.mark.parametrize(
    "rules",
    [
        KEEP_ALL,
        replace(KEEP_ALL, links=Links.KEEP, unicode=Form.NFKC, keep_replies=False, keep_reposts=True),
        replace(KEEP_ALL, mask_personal=False, drop_auto=False, banned_words=("day",), minimum_characters=9),
    ],
)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=12))
def test_many_at_a_time_are_as_one_by_one(texts: list[str], rules: CleaningRules) -> None:
    found = judged(texts, rules)
    left, dropped, masked = one_by_one(texts, rules)
    assert sorted(kept(found)) == sorted(left)
    assert (dict(found.dropped), dict(found.masked)) == (dropped, masked)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=12))
def test_letters_are_those_of_the_cleaning(texts: list[str]) -> None:
    cleaned = [clean_text(text, KEEP_ALL) for text in texts]
    assert looks_of(cleaned).letters == [duplicates.letters_of(text) for text in cleaned]


def test_bands_are_those_of_the_cleaning_whatever_the_portions() -> None:
    texts = [letter * 3 + " long text of some words that are enough for a signature of its own" for letter in "abc"]
    signatures = duplicates.signatures_of(texts)
    assert (
        bands_of_long([texts[0], "short", *texts[1:]])[[0, 2, 3]].tolist() == duplicates.bands_of(signatures).tolist()
    )
    assert not bands_of_long(["short"]).any()


def test_cleaning_changes_no_character_that_counts_as_calm() -> None:
    calm = [chr(code) for code in np.flatnonzero(table() & (WILD | END) == 0).tolist() if chr(code) not in "&/…＠\n\t"]
    text = "a".join(calm)
    assert len(calm) > 50_000
    assert clean_text(f"a{re.sub(' ', '', text)}a", KEEP_ALL) == f"a{re.sub(' ', '', text)}a"


@pytest.mark.parametrize("links", list(Links))
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXTS, max_size=12))
def test_the_common_steps_for_many_texts_are_those_for_each(texts: list[str], links: Links) -> None:
    rules = replace(KEEP_ALL, links=links)
    calm = [text for text in texts if not (table()[list(map(ord, text))] & (WILD | END)).any()]
    assert LightCleaner(rules).cleaned(calm) == [light_cleaner(rules)(text) for text in calm]


def test_the_table_says_what_python_says_of_each_character() -> None:
    bits = table()
    for character in [chr(code) for code in range(0x3100)]:
        assert bool(bits[ord(character)] & DIGIT) == character.isdigit()
        changes = unicodedata.normalize("NFC", character) != character or unicodedata.combining(character)
        assert not changes or bits[ord(character)] & WILD


def test_equal_posts_are_one_and_the_first_in_the_alphabet_stays() -> None:
    texts = ["This is the very same post, isn't it?", "this is the VERY same post isn’t it", "short one", "Short  one"]
    rules = Recipe().rules
    for order in (texts, texts[::-1]):
        found = judged(order, rules)
        assert sorted(kept(found)) == ["Short one", "This is the very same post, isn't it?"]
        assert dict(found.dropped) == {"duplicate": 2}
