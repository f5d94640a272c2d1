"""What the page of a corpus says about its posts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from botfactory.accounts.models import User
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import Cleaned, Overview
from tweets.corpora import report, services

POSTS = [
    (datetime(2019, 1, 31, 23, 59, tzinfo=UTC), "The garden gate is blue #garden"),
    (datetime(2019, 1, 2, tzinfo=UTC), "A garden, a gate and a very long story about the two of them #Garden #gate"),
    (datetime(2019, 4, 1, tzinfo=UTC), "x" * 400),
    (None, "The gate is shut"),
]


def counted(posts: Sequence[tuple[datetime | None, str]]) -> dict[str, object]:
    tally = report.Tally(Overview(languages=(("en", 3), ("de", 1))))
    for number, (at, text) in enumerate(posts):
        tally.add(number, f"{at:%Y-%m}" if at else "", Cleaned(text, None), "")
    return json.loads(json.dumps(tally.as_json()))  # type: ignore[no-any-return]


def test_months_are_counted_with_the_empty_ones_between_them() -> None:
    found = counted(POSTS)
    months = report.months(found)
    assert [line.name for line in months] == ["2019-01", "2019-02", "2019-03", "2019-04"]
    assert [line.number for line in months] == [2, 0, 0, 1]
    assert [line.percent for line in months] == [100, 0, 0, 50]
    assert [line.top for line in months] == [0, 100, 100, 50]
    assert report.undated(found) == 1


def test_more_than_ten_years_are_told_by_year() -> None:
    posts = [(datetime(year, 5, 1, tzinfo=UTC), "a post") for year in (2008, 2008, 2020)]
    assert [(line.name, line.number) for line in report.months(counted(posts))][:2] == [("2008", 2), ("2020", 1)]


def test_lengths_words_and_hashtags_are_counted() -> None:
    found = counted(POSTS)
    lengths = {line.name: line.number for line in report.lengths(found) if line.number}
    assert lengths == {"1–20": 1, "21–40": 1, "61–80": 1, "over 300": 1}
    assert [(line.name, line.number) for line in report.top(found, "hashtags", 5)] == [("#garden", 2), ("#gate", 1)]
    assert [(line.name, line.number) for line in report.top(found, "words", 5)] == [("gate", 3), ("garden", 2)]
    assert [(share.name, share.percent) for share in report.languages(found)] == [("English", 75), ("German", 25)]


def test_posts_that_go_and_come_back_leave_the_report_as_it_was() -> None:
    found = counted(POSTS)
    gone = report.shifted(found, POSTS[1:3], -1)
    assert [line.number for line in report.months(gone)] == [1]
    assert report.top(gone, "hashtags", 5)[0] == ("#garden", 1, 1.0)
    assert json.loads(json.dumps(report.shifted(gone, POSTS[1:3], 1))) == found


def test_a_corpus_of_before_has_an_empty_report() -> None:
    assert report.months({}) == report.lengths({}) == report.top({}, "words", 5) == []
    assert report.languages({}) == [] and report.undated({}) == 0


@pytest.mark.django_db(transaction=True)
def test_the_page_of_a_corpus_tells_it(alice: User) -> None:
    lines = [
        json.dumps({"text": text, "created_at": f"2020-0{1 + n % 3}-01T00:00:00Z"})
        for n, text in enumerate(make_posts(60))
    ]
    file = io.BytesIO("\n".join(lines).encode())
    _, corpus = run(services.import_file(owner=alice, file=file, file_name="posts.jsonl"))
    page = signed_in(alice).get(f"/corpora/{corpus.pk}/").content.decode()
    assert page.count("<title>2020-0") == 3 and "2020-02: 20" in page
    assert "?q=%23smalltown" in page and "Languages, estimated: English" in page


@pytest.mark.django_db(transaction=True)
def test_a_corpus_without_dates_has_no_months(alice: User) -> None:
    corpus = pasted(alice, make_posts(60))
    page = signed_in(alice).get(f"/corpora/{corpus.pk}/").content.decode()
    assert "Posts by month" not in page and "Length in characters" in page
