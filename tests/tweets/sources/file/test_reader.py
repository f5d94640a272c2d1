"""Files of posts: sizes, damage, pages, and real ones."""

from __future__ import annotations

import codecs
import gzip
import html
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.posts import make_posts
from tests.tweets.sources.file.helpers import SETTINGS, SUFFIXES, read, texts
from tests.tweets.sources.helpers import DATA, assert_resumes_everywhere, needs_data, posts_of
from tweets.sources import SourceSettings, open_source
from tweets.sources.base import BadFile, FileTooLarge


def test_pasted_text_is_a_post_a_line_whatever_it_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "pasted.csv"
    path.write_text('{"a": 1}\nRT @x: hello, you\n@y hi\n')
    posts = posts_of(open_source("text", path=path, settings=SETTINGS).pages())
    assert texts(posts) == ['{"a": 1}', "RT @x: hello, you", "@y hi"]
    assert [(post.is_repost, post.is_reply) for post in posts] == [(False, False), (True, False), (False, True)]


def test_a_gzip_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    with pytest.raises(FileTooLarge, match="1 MB"):
        read(tmp_path, "a.txt.gz", b"a line\n" * 200_000, SourceSettings(max_file_bytes=1_000_000))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b""),
        ("a.txt", b" \n\n"),
        ("a.csv", b""),
        ("a.csv", b"id,text\n"),
        ("a.json", b"[]"),
        ("a.json", b'{"a": 1}\n '),
        ("a.json", b'["a", "b"'),
        ("a.json", b"[1, 2]"),
        ("a.jsonl", b"\n"),
        ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9),
        ("a.txt", b"x" * 1_100_000),
        ("a.csv", b'id,text\n1,"' + b"never closed, " * 20_000),
        ("a.txt", codecs.BOM_UTF16_LE),
    ],
)
def test_bad_files_are_told_in_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(BadFile, match=r"[A-Z].*\.$"):
        read(tmp_path, name, content)


def test_a_damaged_gzip_and_a_missing_file_are_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'"hello"\n' * 9999)[:-20])
    for broken in (path, tmp_path / "gone.txt"):
        with pytest.raises(BadFile):
            posts_of(open_source("file", path=broken, settings=SETTINGS).pages())


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.json", "a.jsonl.gz"])
def test_an_import_goes_on_from_every_cursor(tmp_path: Path, name: str) -> None:
    posts = make_posts(50, seed=3)
    records = [{"id": str(n % 45), "text": text} for n, text in enumerate(posts)]
    content = {
        "txt": "\n".join(posts),
        "csv": "id\ttext\n" + "\n".join(f"{record['id']}\t{record['text']}" for record in records),
        "jsonl": "\n".join(map(json.dumps, records)),
        "json": json.dumps({"tweets": records}),
    }[name.split(".")[1]].encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert texts(assert_resumes_everywhere(open_source("file", path=path, settings=SETTINGS))) == posts


@pytest.mark.parametrize("count", [1, 6, 7, 8, 14])
def test_the_last_page_is_known_to_be_the_last(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(make_posts(count)))
    pages = list(open_source("file", path=path, settings=SETTINGS).pages())
    assert [page.cursor is None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all(page.posts for page in pages)


GOOD = {
    ".csv": 'id,created_at,text\n1,2020-01-01,"a ☕, b"\n2,,"c\nd"\n'.encode(),
    ".json": b'{"tweets": [{"id": 1, "text": "a \\ud83d\\ude00"}, "b", {"tweet": {"full_text": "c"}}]}',
    ".jsonl": b'{"id": 1, "text": "a"}\n"b"\n{"text": "\\ud83d"}\n',
    ".txt": "a ☕\nRT @b: c\n".encode("utf-16"),
}


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from(SUFFIXES))
def test_any_bytes_are_posts_or_a_bad_file(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    content = data.draw(
        st.one_of(st.binary(max_size=300), st.text(max_size=100).map(lambda text: text.encode("utf-16")))
    )
    if data.draw(st.booleans()):
        seed = GOOD.get(suffix.removesuffix(".gz"), GOOD[".json"])
        cut = data.draw(st.integers(0, len(seed)))
        content = (
            seed[:cut] + content[: data.draw(st.integers(0, 3))] + seed[cut : data.draw(st.integers(0, len(seed)))]
        )
    packed = gzip.compress(content) if suffix.endswith(".gz") else content
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(packed[: data.draw(st.integers(0, len(packed)))] if data.draw(st.booleans()) else packed)
    is_refused, posts = False, []
    try:
        posts = posts_of(open_source("file", path=path, settings=SETTINGS).pages())
    except BadFile:
        is_refused = True
    assert is_refused == (not posts) and len({post.key for post in posts}) == len(posts)
    for post in posts:
        assert "\x00" not in post.text and post.text.encode("utf-8") is not None and 0 < len(post.key) <= 64


@needs_data
@pytest.mark.parametrize("path", sorted((DATA / "personas").glob("*.jsonl.gz")), ids=lambda path: path.name)
def test_every_real_persona_comes_whole(path: Path) -> None:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        expected = [json.loads(line) for line in lines]
    posts = posts_of(open_source("file", path=path, settings=SourceSettings()).pages())
    # A few were escaped twice where they were gathered. html.unescape would also turn "sentimental &not" into "¬".
    plain = [re.sub("&(?:amp|lt|gt|quot|#39);", lambda e: html.unescape(e[0]), record["text"]) for record in expected]
    assert texts(posts) == plain
    assert all(post.created_at is not None for post in posts)
    assert sum(post.is_repost for post in posts) == sum(record["text"].startswith("RT @") for record in expected)
    # Without an id a post is known by its place.
    assert [post.key for post in posts] == [
        record.get("id", post.key) for record, post in zip(expected, posts, strict=True)
    ]
