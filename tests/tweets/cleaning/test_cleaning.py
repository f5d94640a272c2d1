from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.posts import make_posts
from tweets.cleaning import Change, Cleaner, CleaningRules, Drop, Form, Links, Newlines, clean_text
from tweets.sources.base import Post


def post(text: str, *, is_repost: bool = False, is_reply: bool = False) -> Post:
    return Post(key="1", text=text, created_at=None, is_repost=is_repost, is_reply=is_reply)


def reason(
    text: str, rules: CleaningRules | None = None, *, is_repost: bool = False, is_reply: bool = False
) -> Drop | None:
    return Cleaner(rules or CleaningRules()).clean(post(text, is_repost=is_repost, is_reply=is_reply)).dropped


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("tea &amp; &lt;cake&gt; &amp;amp; more&hellip;", "tea & <cake> & more…"),
        ("two\r\nlines\rand  \u2028 a third\t\n\n\n\nend ", "two\nlines\nand\na third\n\nend"),
        ("a photo https://t.co/abcdefghij", "a photo"),
        ("see https://t.co/abc123 for more, or http://example.com/a?b=c.", "see for more, or ."),
        ("my page (https://example.com/x) is new", "my page is new"),
        ("on pic.twitter.com/7fNjRJyDbT and cut https://t.c…", "on and cut"),
        ("cut harder http…", "cut harder"),
        ("链接https://t.co/abc123之后", "链接 之后"),
        ("e\u0301te\u0301", "été"),
        ("a\u200b\x00b\x07c\ufeff\ufffd", "abc"),
        ("\ud83d\ude00 pair, lone \ud83d", "😀 pair, lone"),
        ("👩\u200d💻 keeps ❤\ufe0f whole", "👩\u200d💻 keeps ❤\ufe0f whole"),
        ("AT&T and R&D; too", "AT&T and R&D; too"),
    ],
)
def test_it_cleans(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_links_stay_where_the_rules_say_so() -> None:
    text = "see https://t.co/abc123 now"
    assert clean_text(text, CleaningRules(links=Links.KEEP)) == text
    assert clean_text(text, CleaningRules(links=Links.PLACEHOLDER)) == "see [link] now"


def test_each_step_can_be_switched_off_and_lines_joined() -> None:
    assert clean_text("tea &amp; cake", CleaningRules(unescape=False)) == "tea &amp; cake"
    assert clean_text("one\ntwo", CleaningRules(newlines=Newlines.SPACE)) == "one two"
    assert clean_text("ｗｉｄｅ", CleaningRules(unicode=Form.NFKC)) == "wide"
    assert clean_text("e\u0301", CleaningRules(unicode=Form.KEEP)) == "e\u0301"
    quote, signed = "So true! RT @bob: hello there", "A nice piece via @newsroom"
    assert clean_text(quote) == "So true!"
    assert clean_text(quote, CleaningRules(cut_quotes=False)) == quote
    assert clean_text(signed) == "A nice piece"
    assert clean_text(signed, CleaningRules(drop_via=False)) == signed


def test_it_tells_what_was_done_to_a_text() -> None:
    outcome = Cleaner(CleaningRules()).clean(post("tea &amp; cake https://t.co/abcdefghij"))
    assert (outcome.text, outcome.changes) == ("tea & cake", (Change.ENTITIES, Change.LINKS, Change.SPACES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hog", None),
        ("日本語です", None),
        ("😂😂😂", None),
        ("#MondayMotivation", None),
        ("ok", Drop.TOO_SHORT),
        ("", Drop.TOO_SHORT),
        (" \n ", Drop.TOO_SHORT),
        ("https://t.co/abcdefghij", Drop.NOT_TEXT),
        ("@someone @else https://t.co/abcdefghij", Drop.NOT_TEXT),
        ("@alice.bsky.social @al-ice.example.com, @na.me@social.example", Drop.NOT_TEXT),
        ("1/1/2011 ... !!", Drop.NOT_TEXT),
        ("caf\ufffd \ufffd\ufffd\ufffd l\ufffd", Drop.NOT_TEXT),
        ("one lost \ufffd character in a long sentence", None),
    ],
)
def test_it_drops_what_says_nothing(text: str, expected: Drop | None) -> None:
    assert reason(text) == expected


def test_reposts_and_replies_go_unless_the_rules_keep_them() -> None:
    assert reason("RT @a: hello there", is_repost=True) is Drop.REPOST
    assert reason("@a hello there", is_reply=True) is Drop.REPLY
    assert reason("RT @a: hello there", CleaningRules(keep_reposts=True), is_repost=True) is None
    assert reason("@a hello there", CleaningRules(keep_replies=True), is_reply=True) is None


def test_the_minimum_can_be_raised() -> None:
    assert reason("a short one", CleaningRules(minimum_characters=20)) is Drop.TOO_SHORT


def test_the_same_text_again_is_a_duplicate_whatever_its_case_spaces_and_links() -> None:
    cleaner = Cleaner(CleaningRules(links=Links.KEEP))
    assert cleaner.clean(post("Good morning https://t.co/aaaaaaaaaa")).dropped is None
    assert cleaner.clean(post("good  MORNING\nhttps://t.co/bbbbbbbbbb")).dropped is Drop.DUPLICATE
    assert cleaner.clean(post("Good evening")).dropped is None


def test_a_dropped_post_does_not_make_a_later_one_a_duplicate() -> None:
    cleaner = Cleaner(CleaningRules())
    assert cleaner.clean(post("hello there", is_reply=True)).dropped is Drop.REPLY
    assert cleaner.clean(post("hello there")).dropped is None


def test_portions_change_nothing() -> None:
    posts = [post(text) for text in [*make_posts(300), *make_posts(40, seed=7), *make_posts(300)]]
    at_once = Cleaner(CleaningRules()).clean_all(posts)
    cleaner = Cleaner(CleaningRules())
    assert [cleaner.clean(each) for each in posts] == at_once
    assert sum(outcome.dropped is Drop.DUPLICATE for outcome in at_once) == 300


def test_made_posts_pass_unchanged() -> None:
    cleaner, made = Cleaner(CleaningRules()), make_posts(2000)
    cleaned = [cleaner.clean(post(text)) for text in made]
    assert [(each.text, each.dropped) for each in cleaned] == [(text, None) for text in made] != []


NASTY = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from("&amp;#38x<>\n\r\t \u200b\ud83d\ude00\x00…https://t.co/()"),
        st.characters(categories=["Cs"]),
    ),
    max_size=80,
)
PIECES = st.lists(
    st.one_of(
        NASTY,
        st.sampled_from(["https://t.co/abc", "&amp;", "&#38;", "(", ")", "http", "://", "pic.twitter.com/a", "@a"]),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=400)
@given(PIECES, st.sampled_from([Links.DROP, Links.KEEP]))
def test_cleaning_twice_is_cleaning_once_and_never_longer(text: str, links: Links) -> None:
    rules = CleaningRules(links=links)
    cleaned = clean_text(text, rules)
    assert clean_text(cleaned, rules) == cleaned
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    assert len(cleaned) <= len(unicodedata.normalize("NFC", whole))
    assert cleaned.encode("utf-8") is not None and "\x00" not in cleaned and "\r" not in cleaned
    assert cleaned == cleaned.strip() and "\n\n\n" not in cleaned


@settings(max_examples=200)
@given(NASTY, st.booleans(), st.booleans())
def test_any_text_is_kept_or_dropped_with_a_reason(text: str, is_repost: bool, is_reply: bool) -> None:
    cleaned = Cleaner(CleaningRules()).clean(post(text, is_repost=is_repost, is_reply=is_reply))
    assert cleaned.dropped in (None, *Drop)
    assert cleaned.dropped or (len(cleaned.text) >= 3 and not is_repost and not is_reply)
