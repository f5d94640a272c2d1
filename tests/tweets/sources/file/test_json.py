"""JSON and JSON lines, also damaged and hostile ones."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.tweets.sources.file.helpers import read, texts
from tweets.sources import SourceSettings
from tweets.sources.base import BadFile


def test_json_lines_take_objects_and_strings(tmp_path: Path) -> None:
    records: list[Any] = [
        {"id": 5, "text": "cut…", "full_text": "whole", "created_at": 1_600_000_000},
        "just a string",
        {"tweet": {"id_str": "6", "full_text": "wrapped"}},
        {"id": "7", "text": "short", "note_tweet": {"text": "the long one"}},
        {"id": "8", "text": "a retweet", "retweeted_status": {"id": 1}},
        {"id": "9", "text": "v2", "referenced_tweets": [{"type": "retweeted", "id": "1"}]},
        {"id": "10", "text": "my thread goes on", "author_id": "1", "in_reply_to_user_id": "1"},
        {"id": "11", "text": "an answer", "author_id": "1", "in_reply_to_user_id": "2"},
        {"id": "12", "text": None},
        {"delete": {"status": {}}},
    ]
    posts = read(tmp_path, "a.jsonl.gz", "\n".join(map(json.dumps, records)))
    assert texts(posts)[:4] == ["whole", "just a string", "wrapped", "the long one"]
    assert posts[0].key == "5" and posts[0].created_at == datetime.fromtimestamp(1_600_000_000, UTC)
    assert [post.is_repost for post in posts] == [False] * 4 + [True] * 2 + [False] * 4
    assert [post.is_reply for post in posts] == [False] * 7 + [True] + [False] * 2
    assert texts(posts)[8:] == ["", ""]


@pytest.mark.parametrize("no", [False, "false", "f", "F", "n", "N", "no", 0, "0", None, ""])
@pytest.mark.parametrize("yes", [True, "true", "t", "Y", 1, "1"])
def test_flags_are_read_as_tables_and_databases_write_them(tmp_path: Path, yes: object, no: object) -> None:
    names = ("is_repost", "is_reply", "is_quote", "has_warning")
    records = [{"text": "tea", **{each: yes if each == name else no for each in names}} for name in names]
    posts = read(tmp_path, "a.jsonl", "\n".join(map(json.dumps, records)))
    assert [[getattr(post, name) for name in names] for post in posts] == [
        [each == name for each in names] for name in names
    ]


@pytest.mark.parametrize("name", ["a.json", "a.csv"])
def test_what_is_not_public_comes_without_its_text_in_any_column(tmp_path: Path, name: str) -> None:
    words = {"direct": "between us", " Private": "of mine", "PUBLIC": "for all of you", "unlisted": "quietly", "": "so"}
    records = [{"remark": remark, "visibility": visibility} for visibility, remark in words.items()]
    table = "\n".join(["remark,visibility", *(",".join(each.values()) for each in records)])
    content = table if name == "a.csv" else json.dumps([*records, {"remark": "without", "visibility": None}])
    posts = read(tmp_path, name, content, SourceSettings(text_column="remark"))
    assert texts(posts)[:5] == ["", "", "for all of you", "quietly", "so"]


def test_the_broken_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="Line 3 isn’t valid JSON"):
        read(tmp_path, "a.jsonl", '{"text": "a"}\n\n{"text": "b\n')
    with pytest.raises(BadFile, match="Line 1 has no text"):
        read(tmp_path, "a.jsonl", '{"words": "a"}\n')


@pytest.mark.parametrize(
    "document",
    [
        '["a post", {"text": "another"}]',
        '{"tweets": [{"text": "a post"}, {"full_text": "another"}]}',
        '{"user": {"name": "x"}, "tags": [1], "posts": ["a post", "another"]}',
        '{\n "count": 2,\n "data": [\n  {"tweet": {"text": "a post"}},\n  "another"\n ]\n}',
        '{"text": "a post"}\n{"text": "another"}\n',
    ],
)
def test_json_may_have_the_array_at_the_top_or_inside(tmp_path: Path, document: str) -> None:
    assert texts(read(tmp_path, "a.json", document)) == ["a post", "another"]
    assert texts(read(tmp_path, "b.jsonl" if document[0] == "[" else "b", document)) == ["a post", "another"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_broken_surrogates_and_nuls_are_mended(tmp_path: Path, name: str) -> None:
    bodies = [
        r"\ud83d\ude00 ok",
        r"lone \ud83d here",
        r"low \ude00 end\ud83d",
        r"\\ud83d \ud83d\u0041",
        r"nul\u0000nul",
    ]
    quoted = [f'"{body}"' for body in bodies]
    document = f"[{','.join(quoted)}]" if name == "a.json" else "\n".join(quoted)
    assert texts(read(tmp_path, name, document)) == ["😀 ok", "lone  here", "low  end", r"\ud83d A", "nulnul"]


def test_escapes_across_the_borders_of_chunks_stay_whole(tmp_path: Path) -> None:
    rng = random.Random(1)
    pieces = [r"\ud83d\ude00", r"\ud83d", r"\\", r"\"", r"\n", "a", r"\u00e9", r"\ude00", r"\\ud83d"]
    bodies = ["".join(rng.choice(pieces) for _ in range(rng.randrange(300))) for _ in range(600)]
    posts = read(tmp_path, "a.json", "[" + ",".join(f'"{body}"' for body in ["x", *bodies]) + "]")
    for post, body in zip(posts[1:], bodies, strict=True):
        expected = json.loads(f'"{body}"').encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        assert post.text == expected


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 300_000,
        b'{"a":' * 300_000,
        b"[1" + b"0" * 5000 + b"]",
        b'["ok", 1' + b"0" * 5000 + b"]",
        b'["' + b"a" * 9_000_000 + b'"]',
        b'[{"text": "a"' + b', "b": [1, 2, 3]' * 600_000 + b"}]",
        b'["' + rb"\ud83d" * 100_000 + b'"',
        b'["' + b"\\" * 200_001 + b'"]',
    ],
    ids=[
        "deep arrays",
        "deep objects",
        "huge number",
        "later number",
        "long string",
        "wide item",
        "lone",
        "backslashes",
    ],
)
def test_hostile_json_is_a_bad_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadFile):
        read(tmp_path, "a.json", content)
