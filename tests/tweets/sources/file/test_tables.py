"""Tables: which column contains the posts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.tweets.sources.file.helpers import read, texts
from tweets.sources import SourceSettings
from tweets.sources.base import BadFile, WhichColumn


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_it_finds_the_text_column_by_its_name(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ["Tweet ID", "Created At", "Full-Text", "in_reply_to_status_id"],
        ["11", "2020-01-02T03:04:05Z", '"one, two; three\nfour"', ""],
        ["12", "Wed Oct 10 20:19:24 +0000 2018", '"&lt;b&gt; &amp;amp;"', "7.0"],
        ["12", "nonsense", "the id again", "nan"],
    ]
    posts = read(tmp_path, "a.csv", "\n".join(delimiter.join(row) for row in rows))
    assert texts(posts) == ["one, two; three\nfour", "<b> &amp;", "the id again"]
    assert [post.key for post in posts] == ["11", "12", "line-000000005"]
    assert posts[0].created_at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert posts[1].created_at == datetime(2018, 10, 10, 20, 19, 24, tzinfo=UTC)
    assert posts[2].created_at is None
    assert [post.is_reply for post in posts] == [False, True, False]


def test_without_a_known_name_the_longest_column_is_the_text(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "a.csv", "a,words\n1,this is a longer text\n2,and another one here")) == [
        "this is a longer text",
        "and another one here",
    ]
    assert texts(read(tmp_path, "b.csv", "1,this is a post\n2,and here comes another")) == [
        "this is a post",
        "and here comes another",
    ]


DOUBTFUL = (
    "title,summary,link\nOf moss,It grows on stones,https://a.example/moss\nOf tea,It gets cold,https://a.example/tea"
)


def test_a_table_with_two_columns_of_sentences_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(WhichColumn, match=r"“title”, “summary”\..*“Text column”") as raised:
        read(tmp_path, "a.csv", DOUBTFUL)
    assert raised.value.columns == ("title", "summary") and raised.value.code == "which_column"
    with pytest.raises(WhichColumn, match="“column 2”, “column 3”"):
        read(tmp_path, "b.csv", "1,here is a post,and a remark\n2,another post comes,and one more remark")
    with pytest.raises(WhichColumn, match="“message”, “content”"):
        read(tmp_path, "c.csv", "message,content\nhello there,good day to you\nbye now,see you soon")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("summary", ["It grows on stones", "It gets cold"]),
        (" Title ", ["Of moss", "Of tea"]),
        ("2", ["It grows on stones", "It gets cold"]),
        ("column 1", ["Of moss", "Of tea"]),
        ("link", ["https://a.example/moss", "https://a.example/tea"]),
    ],
)
def test_the_answer_is_a_name_or_a_number(tmp_path: Path, column: str, expected: list[str]) -> None:
    limits = SourceSettings(text_column=column)
    assert texts(read(tmp_path, "a.csv", DOUBTFUL, limits)) == expected
    assert texts(read(tmp_path, "a.tsv", DOUBTFUL.replace(",", "\t"), limits)) == expected


@pytest.mark.parametrize("column", ["words", "0", "4", "column", "99999999999999999999"])
def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, column: str) -> None:
    with pytest.raises(BadFile, match="or its number: “title”, “summary”, “link”"):
        read(tmp_path, "a.csv", DOUBTFUL, SourceSettings(text_column=column))
    with pytest.raises(BadFile, match="2 columns without names"):
        read(tmp_path, "a.csv", "1,here is a post\n2,another post comes", SourceSettings(text_column=column))


def test_a_column_may_be_named_though_another_would_be_found(tmp_path: Path) -> None:
    table = "id,text,german\n1,good morning,guten Morgen\n2,good night,gute Nacht"
    assert texts(read(tmp_path, "a.csv", table)) == ["good morning", "good night"]
    assert texts(read(tmp_path, "a.csv", table, SourceSettings(text_column="german"))) == ["guten Morgen", "gute Nacht"]
    lines = '{"id": 1, "text": "good morning", "german": "guten Morgen"}\n'
    assert texts(read(tmp_path, "a.jsonl", lines, SourceSettings(text_column="German"))) == ["guten Morgen"]
    with pytest.raises(BadFile, match="“dutch”"):
        read(tmp_path, "a.jsonl", lines, SourceSettings(text_column="dutch"))


def test_long_addresses_ids_and_dates_are_not_the_text(tmp_path: Path) -> None:
    link = "https://example.com/" + "a" * 90
    rows = "\n".join(f"{n},2024-05-01T12:00:00,{link},tea and rain,<a href='{link}'>An app</a>" for n in range(3))
    assert texts(read(tmp_path, "a.csv", f"id,date,link,said,source\n{rows}")) == ["tea and rain"] * 3
    words = "id,date,word\n1,2024-05-01,moss\n2,2024-05-02,stone"
    assert texts(read(tmp_path, "a.csv", words)) == ["moss", "stone"]


def test_a_table_of_one_column_keeps_its_commas(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "a.csv", "text\nhello, world\nwell, well, well")) == [
        "hello, world",
        "well, well, well",
    ]


def test_a_short_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="Line 3 has 1 column"):
        read(tmp_path, "a.csv", "id,text\n1,fine\nbroken\n")


@pytest.mark.parametrize("head", ["id,text\n", ""])
def test_a_post_with_delimiters_is_named_and_not_cut(tmp_path: Path, head: str) -> None:
    rows = [f"{number},the tea of day {number}" for number in range(30)]
    rows[7] = "7,tea, moss and a goose"
    number = 9 if head else 8
    with pytest.raises(BadFile, match=rf"Line {number} has 3 columns, but the table has 2\. .* in quotes"):
        read(tmp_path, "a.csv", head + "\n".join(rows))


def test_empty_cells_at_the_end_of_a_row_are_fine(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "a.csv", 'id,text\n1,fine,,\n2,"tea, moss", \n')) == ["fine", "tea, moss"]
