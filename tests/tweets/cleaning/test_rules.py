"""The rules as a value, and each reason for which they drop a post."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.fakes.posts import make_posts
from tweets.cleaning import Cleaner, CleaningRules, Drop, Duplicates, Language, RulesError, Survey
from tweets.cleaning.cut import is_cut
from tweets.cleaning.language import language_of
from tweets.sources.base import Post

LONG = "We walked along the river all morning, and then the rain came down so hard that nobody could see the bridge"


def post(text: str, *, is_repost: bool = False, has_warning: bool = False) -> Post:
    return Post("1", text, None, is_repost=is_repost, has_warning=has_warning)


def reasons(texts: Sequence[str], rules: CleaningRules | None = None) -> list[Drop | None]:
    """Return what happens to the posts of one corpus."""
    rules = rules or CleaningRules()
    survey = Survey(rules, len(texts))
    survey.look(texts)
    cleaner = Cleaner(rules, survey.overview())
    return [outcome.dropped for outcome in cleaner.clean_all([post(text) for text in texts])]


def test_rules_go_through_json_and_come_back() -> None:
    rules = CleaningRules(keep_replies=True, language=Language.MAIN, banned_words=("Moist", "big  SALE"))
    assert CleaningRules.from_dict(json.loads(json.dumps(rules.as_dict()))) == rules
    assert rules.banned_words == ("moist", "big sale")
    assert CleaningRules.from_dict({}) == CleaningRules()


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"keep_all": True}, "keep_all", "no rule “keep_all”"),
        ({"keep_replies": "yes"}, "keep_replies", "true or false"),
        ({"links": "eat"}, "links", "drop, placeholder, keep"),
        ({"minimum_characters": 0}, "minimum_characters", "1 to 280"),
        ({"minimum_characters": True}, "minimum_characters", "a number"),
        ({"banned_words": "one"}, "banned_words", "list of words"),
        ({"banned_words": [" "]}, "banned_words", "Enter the word"),
        ({"banned_words": ["x" * 81]}, "banned_words", "at most 80"),
        ({"banned_words": [f"word{n}" for n in range(501)]}, "banned_words", "500 words"),
    ],
)
def test_rules_that_make_no_sense_are_told(values: dict[str, object], name: str, words: str) -> None:
    with pytest.raises(RulesError, match=words) as raised:
        CleaningRules.from_dict(values)
    assert raised.value.name == name


def test_a_word_is_banned_and_allowed_again() -> None:
    rules = CleaningRules().with_banned("Moist").with_banned("moist")
    assert rules.banned_words == ("moist",)
    assert rules.without_banned("MOIST").banned_words == ()
    assert rules.without_banned("dry") == rules


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        ("cat", "The Cat's here", Drop.BANNED),
        ("cat", "#cat pictures", Drop.BANNED),
        ("cat", "cats and more cats", None),
        ("big sale", "the BIG\nsale of the year", Drop.BANNED),
        ("c++", "all of it in C++, of course", Drop.BANNED),
        ("猫", "この猫はかわいい", Drop.BANNED),
        ("été", "un e\u0301te\u0301 de plus", Drop.BANNED),
    ],
)
def test_banned_words_are_whole_words_in_any_case(word: str, text: str, expected: Drop | None) -> None:
    assert reasons([text], CleaningRules(banned_words=(word,))) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "I just unlocked the “Swarm Explorer” badge on @foursquare! https://t.co/abc",
        "I'm at Joe's Pizza (New York, NY) https://t.co/abc",
        "I liked a @YouTube video https://t.co/abc Some title",
        "I posted 12 photos on Facebook in the album Summer",
        "One person followed me and 2 people unfollowed me // automatically checked by https://t.co/abc",
        "Wordle 412 4/6",
    ],
)
def test_posts_that_apps_wrote_go_unless_they_are_wanted(text: str) -> None:
    assert reasons([text]) == [Drop.AUTO]
    assert reasons([text], CleaningRules(drop_auto=False)) != [Drop.AUTO]


def test_what_repeats_its_beginning_with_a_link_is_an_apps() -> None:
    own = make_posts(500)
    titles = [text.rstrip("…") for text in make_posts(60, seed=5)]
    app = [f"New on my blog: {title} https://t.co/{number:010}" for number, title in enumerate(titles)]
    found = reasons([*own, *app])
    assert found[:500] == [None] * 500 and set(found[500:]) == {Drop.AUTO}
    without_links = [text.split(" https:")[0] for text in app]
    assert Drop.AUTO not in reasons([*own, *without_links])


def test_a_long_post_that_differs_in_a_few_letters_is_the_same_again() -> None:
    nearly = LONG.replace("bridge", "bridges")
    assert reasons([LONG, nearly]) == [None, Drop.DUPLICATE]
    assert reasons([LONG, nearly], CleaningRules(duplicates=Duplicates.SAME)) == [None, None]
    assert reasons([LONG, LONG.upper()], CleaningRules(duplicates=Duplicates.SAME)) == [None, Drop.DUPLICATE]
    assert reasons([LONG, LONG], CleaningRules(duplicates=Duplicates.KEEP)) == [None, None]


def test_two_short_posts_that_differ_in_a_number_are_two_posts() -> None:
    assert reasons(["day 1", "day 2", "Day  1"]) == [None, None, Drop.DUPLICATE]


def test_a_post_cut_by_the_service_goes_and_one_that_trails_off_stays() -> None:
    cut = "RT @someone: " + "w" * 126 + "…"
    assert is_cut(cut, is_repost=True) and not is_cut("and then…", is_repost=False)
    long = ("word " * 60)[:270] + "… https://t.co/abcdefghij"
    assert reasons([long, "I wonder…"]) == [Drop.CUT, None]
    assert reasons([long], CleaningRules(drop_cut=False)) == [None]


def test_other_languages_go_where_only_the_main_one_is_wanted() -> None:
    english = [f"{text} and that was what they said about the {number}" for number, text in enumerate(make_posts(30))]
    texts = [*english, "Das ist doch nicht wahr, ich habe es ja auch gesehen", "日本語のつぶやきです", "Madrid 😀"]
    assert reasons(texts, CleaningRules(language=Language.MAIN)) == [None] * 30 + [Drop.LANGUAGE, Drop.LANGUAGE, None]
    assert reasons(texts) == [None] * 33


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I think that they were right about this", "en"),
        ("Ich habe das nicht gesehen, aber es ist gut", "de"),
        ("C'est la même chose pour moi, je ne sais pas", "fr"),
        ("これはテストです", "ja"),
        ("Привет, как дела", "ru"),
        ("Привіт, як справи, друже", "uk"),
        ("lol ok", None),
        ("Madrid", None),
    ],
)
def test_a_language_is_told_where_it_is_plain(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_posts_behind_a_warning_go_unless_they_are_wanted() -> None:
    hidden = post("the end of the film is sad", has_warning=True)
    assert Cleaner(CleaningRules()).clean(hidden).dropped is Drop.WARNING
    assert Cleaner(CleaningRules(keep_warnings=True)).clean(hidden).dropped is None


def test_quotes_stay_unless_they_are_not_wanted() -> None:
    quote = Post("1", "this is so well put, read it", None, is_quote=True)
    assert Cleaner(CleaningRules()).clean(quote).dropped is None
    assert Cleaner(CleaningRules(keep_quotes=False)).clean(quote).dropped is Drop.QUOTE
