"""Searching posts, removing them by hand and putting them back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import CleaningRules
from tweets.corpora import errors, learning, posts, services
from tweets.corpora.clean_corpus import clean
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

CAKES = ["The first cake of the week", "No CAKE without tea", "Pancakes for everybody", "Tea only, thank you"]


@pytest.fixture
def corpus(alice: User) -> Corpus:
    return pasted(alice, ["@someone a reply about cake", *CAKES, *make_posts(60)])


def state(corpus: Corpus) -> list[Any]:
    """Return what the row says about the posts."""
    corpus = Corpus.objects.get(pk=corpus.pk)
    counted = {name: corpus.report[name] for name in ("months", "lengths")}
    return json.loads(json.dumps([corpus.posts_kept, corpus.characters, corpus.dropped, counted]))  # type: ignore[no-any-return]


def state_after_cleaning(corpus: Corpus) -> list[Any]:
    for _ in clean(Corpus.objects.get(pk=corpus.pk)):
        pass
    return state(corpus)


@pytest.mark.parametrize(
    ("words", "show", "expected"),
    [
        ("cake", "kept", CAKES[:3]),
        (" cake ", "all", ["@someone a reply about cake", *CAKES[:3]]),
        ("cake", "dropped", ["@someone a reply about cake"]),
        ("cake", "removed", []),
        ("100 %", "kept", []),
        ("_", "kept", []),
    ],
)
def test_posts_are_found_by_their_words_in_any_case(
    corpus: Corpus, words: str, show: posts.Show, expected: list[str]
) -> None:
    assert [post.text for post in posts.find(corpus, words=words, show=show)] == expected


def test_posts_are_found_by_their_day_and_only_these_are_taken_out(corpus: Corpus, page: Client) -> None:
    for day, text in enumerate(CAKES[:3], start=1):
        corpus.posts.filter(text=text).update(posted_at=datetime(2019, 5, day, 23, 30, tzinfo=UTC))
    days = {"since": "2019-05-02", "until": "2019-05-02"}
    shown = page.get(f"/corpora/{corpus.pk}/posts", {"q": "cake", **days}).content.decode()
    assert CAKES[1] in shown and CAKES[0] not in shown and 'value="2019-05-02"' in shown
    page.post(f"/corpora/{corpus.pk}/posts/out", {"q": "cake", "show": "kept", **days})
    assert [post.text for post in posts.find(corpus, show="removed")] == [CAKES[1]]
    assert page.get(f"/corpora/{corpus.pk}/posts?since=yesterday").status_code == 400


def test_other_scripts_have_cases_too(alice: User) -> None:
    corpus = pasted(alice, ["Привет, мир (привет!)", "Été à Paris", *make_posts(5)])
    assert posts.find(corpus, words="ПРИВЕТ").count() == 1
    assert posts.find(corpus, words="(ПРИВЕТ").count() == 1
    assert posts.find(corpus, words="été").count() == 1


def test_a_post_taken_out_is_not_learned_and_may_come_back(corpus: Corpus) -> None:
    before = state(corpus)
    one = posts.find(corpus, words="first cake")
    assert posts.take_out(corpus, one) == 1
    assert CAKES[0] not in learning.training_posts(corpus)
    assert state(corpus)[2] == {"removed": 1, "reply": 1}
    assert posts.put_back(corpus, posts.find(corpus, words="first cake", show="removed")) == 1
    assert CAKES[0] in learning.training_posts(corpus)
    assert state(corpus) == before


def test_what_is_counted_by_hand_is_what_cleaning_counts(corpus: Corpus) -> None:
    posts.take_out(corpus, posts.find(corpus, words="cake"))
    assert state(corpus) == state_after_cleaning(corpus)
    posts.put_back(corpus, posts.find(corpus, words="no cake", show="removed"))
    assert state(corpus) == state_after_cleaning(corpus)


def test_what_was_taken_out_stays_out_under_other_rules(corpus: Corpus) -> None:
    posts.take_out(corpus, posts.find(corpus, words="cake"))
    _, corpus = run(services.reclean(corpus, CleaningRules(keep_replies=True)))
    assert corpus.dropped == {"removed": 3}
    assert "@someone a reply about cake" in learning.training_posts(corpus)


def test_a_word_banned_meanwhile_keeps_a_post_out(corpus: Corpus) -> None:
    posts.take_out(corpus, posts.find(corpus, words="cake"))
    _, corpus = run(services.reclean(corpus, CleaningRules(banned_words=("first",))))
    assert posts.put_back(corpus, posts.find(corpus, show="removed")) == 2
    assert state(corpus)[2] == {"banned": 1, "reply": 1}
    assert state(corpus) == state_after_cleaning(corpus)


def test_taking_out_twice_takes_out_once(corpus: Corpus) -> None:
    everything = corpus.posts.all()
    kept = Corpus.objects.get().posts_kept
    assert posts.take_out(corpus, everything) == kept
    assert posts.take_out(corpus, everything) == 0
    assert state(corpus)[:2] == [0, 0]


def test_posts_stay_as_they_are_while_a_job_learns_from_them(corpus: Corpus) -> None:
    services.reclean(corpus, CleaningRules())
    with pytest.raises(errors.CorpusBusy, match="Wait until"):
        posts.take_out(corpus, corpus.posts.all())
    assert not corpus.posts.filter(is_removed=True).exists()


@pytest.fixture
def page(alice: User) -> Client:
    return signed_in(alice)


def test_the_page_takes_out_one_post_and_stays_where_it_was(corpus: Corpus, page: Client) -> None:
    number = posts.find(corpus, words="first cake").get().pk
    answer = page.post(
        f"/corpora/{corpus.pk}/posts/out", {"post": number, "q": "cake", "show": "kept", "page": "2"}, follow=True
    )
    assert answer.redirect_chain == [(f"/corpora/{corpus.pk}/posts?q=cake&show=kept&page=2", 302)]
    text = answer.content.decode()
    assert "1 post is removed." in text and "2 posts with “cake”" in text


def test_the_page_takes_out_all_that_it_found_and_puts_them_back(corpus: Corpus, page: Client) -> None:
    answer = page.post(f"/corpora/{corpus.pk}/posts/out", {"q": "cake", "show": "kept"}, follow=True)
    assert "3 posts are removed." in answer.content.decode()
    answer = page.post(f"/corpora/{corpus.pk}/posts/back", {"show": "removed"}, follow=True)
    assert "3 posts are back." in answer.content.decode()
    assert not corpus.posts.filter(is_removed=True).exists()


@pytest.mark.parametrize(
    "sent",
    [
        {"q": "  ", "show": "kept"},
        {},
        {"post": "x"},
        {"post": "9" * 40},
        {"q": "cake", "show": "nonsense"},
        {"post": "0"},
    ],
)
def test_nothing_is_taken_out_by_mistake(corpus: Corpus, page: Client, sent: dict[str, str]) -> None:
    assert page.post(f"/corpora/{corpus.pk}/posts/out", sent).status_code == 302
    assert not corpus.posts.filter(is_removed=True).exists()


def test_a_post_of_somebody_else_is_out_of_reach(corpus: Corpus, bob: User) -> None:
    own = pasted(bob, make_posts(5))
    number = posts.find(corpus, words="first cake").get().pk
    signed_in(bob).post(f"/corpora/{own.pk}/posts/out", {"post": number})
    assert not corpus.posts.filter(is_removed=True).exists()


def test_long_lists_come_in_pages(corpus: Corpus, page: Client) -> None:
    first = page.get(f"/corpora/{corpus.pk}/posts?show=all")
    assert len(first.context["page"]) == 50
    assert b"show=all&amp;page=2" in first.content
    last = page.get(f"/corpora/{corpus.pk}/posts?show=all&page=99")
    assert (last.context["page"].number, len(last.context["page"])) == (2, 15)


def test_the_date_of_a_post_is_written_as_the_language_does(corpus: Corpus, page: Client) -> None:
    corpus.posts.update(posted_at=datetime(2026, 3, 5, 12, tzinfo=UTC))
    for language, date in (("en", "March 5, 2026"), ("de", "5. März 2026")):
        shown = page.get(f"/corpora/{corpus.pk}/posts", headers={"accept-language": language}).content.decode()
        assert f">{date}</time>" in shown


def test_a_search_that_finds_nothing_says_so(corpus: Corpus, page: Client) -> None:
    assert "No post contains these words." in page.get(f"/corpora/{corpus.pk}/posts?q=zebra").content.decode()
    assert "You haven’t removed any posts." in page.get(f"/corpora/{corpus.pk}/posts?show=removed").content.decode()


@pytest.mark.parametrize("query", ["show=nonsense", "page=x", "q=" + "x" * 201, "q=%00"])
def test_a_search_that_makes_no_sense_is_told(corpus: Corpus, page: Client, query: str) -> None:
    answer = page.get(f"/corpora/{corpus.pk}/posts?{query}")
    assert answer.status_code == 400 and b"data-form-errors" in answer.content
