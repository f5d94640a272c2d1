"""The page of the cleaning rules."""

from __future__ import annotations

from typing import Any

import pytest

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import CleaningRules, Links
from tweets.corpora import examples, services
from tweets.corpora.examples import Effect, Example
from tweets.models import Corpus
from tweets.pages.forms import RulesForm

pytestmark = pytest.mark.django_db(transaction=True)


def fields(rules: CleaningRules, **changed: Any) -> dict[str, Any]:
    """Return what a browser sends for these rules: nothing for an unticked checkbox."""
    values = {**rules.as_dict(), "banned_words": "\n".join(rules.banned_words), **changed}
    return {name: "on" if value is True else value for name, value in values.items() if value is not False}


def test_every_rule_has_its_field() -> None:
    assert set(RulesForm().fields) == set(CleaningRules().as_dict())
    form = RulesForm(fields(CleaningRules()))
    assert form.is_valid() and form.rules() == CleaningRules()


def test_the_page_shows_the_rules_as_they_are(alice: User) -> None:
    corpus = pasted(alice, make_posts(20))
    rules = CleaningRules(keep_replies=True, links=Links.KEEP, banned_words=("moist", "big sale"))
    run(services.reclean(corpus, rules))
    page = signed_in(alice).get(f"/corpora/{corpus.pk}/clean")
    form = page.context["form"]
    again = RulesForm(fields(CleaningRules.from_dict({}), **{name: form[name].initial for name in form.fields}))
    assert again.is_valid() and again.rules() == rules
    assert b"moist\nbig sale" in page.content


def test_other_rules_are_applied_without_another_import(alice: User) -> None:
    corpus = pasted(alice, ["@someone a reply that says something", "The moist cake", *make_posts(20)])
    assert corpus.dropped == {"reply": 1}
    sent = fields(CleaningRules(keep_replies=True), banned_words="Moist\r\n\r\n  ")
    answer = signed_in(alice).post(f"/corpora/{corpus.pk}/clean", sent)
    job = Job.objects.get(pk=answer["Location"].strip("/").split("/")[-1])
    _, corpus = run(job)
    assert corpus.cleaning_rules == CleaningRules(keep_replies=True, banned_words=("moist",))
    assert (corpus.posts_found, corpus.posts_kept, corpus.dropped) == (22, 21, {"banned": 1})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"links": "eat"}, "Links"),
        ({"minimum_characters": "0"}, "Minimum characters"),
        ({"banned_words": "x" * 81}, "at most 80 characters"),
    ],
)
def test_rules_that_make_no_sense_are_told_and_change_nothing(alice: User, changed: dict[str, str], words: str) -> None:
    corpus = pasted(alice, make_posts(20))
    answer = signed_in(alice).post(f"/corpora/{corpus.pk}/clean", fields(CleaningRules(), **changed))
    assert answer.status_code == 400 and words in answer.content.decode()
    assert Job.objects.count() == 1 and Corpus.objects.get().is_ready


def test_what_each_rule_did_is_counted_and_shown_on_real_posts(alice: User) -> None:
    texts = ["@someone a reply that says something", "A nice piece via @newsroom", "see https://t.co/abcdefghij now"]
    corpus = pasted(alice, [*texts, *make_posts(20)])
    context = signed_in(alice).get(f"/corpora/{corpus.pk}/clean").context
    assert context["drops"] == [Effect("reply", 1, [Example(texts[0], "")])]
    assert context["changes"] == [
        Effect("links", 1, [Example(texts[2], "see now")]),
        Effect("via", 1, [Example(texts[1], "A nice piece")]),
    ]


def test_rules_are_tried_without_changing_anything(alice: User) -> None:
    corpus = pasted(alice, ["@someone a reply that says something", "A moist cake", *make_posts(20)])
    sent = fields(CleaningRules(keep_replies=True), banned_words="moist", **{"try": "yes"})
    answer = signed_in(alice).post(f"/corpora/{corpus.pk}/clean", sent)
    assert answer.status_code == 200
    trial = answer.context["trial"]
    assert (trial.looked_at, trial.kept_now, trial.kept_then, trial.differences) == (22, 21, 21, 2)
    assert {(post.text, post.now_dropped, post.then_dropped) for post in trial.shown} == {
        ("@someone a reply that says something", "reply", ""),
        ("A moist cake", "", "banned"),
    }
    assert Job.objects.count() == 1 and Corpus.objects.get().cleaning_rules == CleaningRules()


def test_few_differences_of_many_are_shown_and_of_each_sort_some(alice: User) -> None:
    replies = [f"@someone {text}" for text in make_posts(40)]
    corpus = pasted(alice, [*replies, "A moist cake", *make_posts(20, seed=3)])
    trial = examples.trial(corpus, CleaningRules(keep_replies=True, banned_words=("moist",)))
    assert (trial.differences, len(trial.shown)) == (41, examples.SHOWN)
    assert {post.then_dropped for post in trial.shown} == {"", "banned"}


def test_while_a_job_is_at_work_the_rules_stay(alice: User) -> None:
    corpus = pasted(alice, make_posts(20))
    services.reclean(corpus, CleaningRules())
    answer = signed_in(alice).post(f"/corpora/{corpus.pk}/clean", fields(CleaningRules(keep_reposts=True)))
    assert answer.status_code == 400 and "Wait until it ends" in answer.content.decode()
    assert Corpus.objects.get().cleaning_rules == CleaningRules()
