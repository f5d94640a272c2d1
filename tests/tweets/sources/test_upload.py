from __future__ import annotations

import codecs
import gzip
import html
import json
import random
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.posts import make_posts
from tests.tweets.sources.helpers import DATA, assert_resumes_everywhere, needs_data, posts_of
from tweets.sources import Post, SourceSettings, open_source
from tweets.sources.base import BadFile, FileTooLarge, WhichColumn

SETTINGS = SourceSettings(page_size=7)
SUFFIXES = [".txt", ".csv", ".jsonl", ".ndjson", ".json", ".txt.gz", ".jsonl.gz", ""]


def read(tmp_path: Path, name: str, content: bytes | str, limits: SourceSettings = SETTINGS) -> list[Post]:
    path = tmp_path / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return posts_of(open_source("file", path=path, settings=limits).pages())


def texts(posts: list[Post]) -> list[str]:
    return [post.text for post in posts]


GERMAN = "Grüße aus Köln\r\n\r\n  naïve café \r\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_a_line_is_a_post_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    posts = read(tmp_path, "a.txt", GERMAN.encode(encoding))
    assert texts(posts) == ["Grüße aus Köln", "naïve café"]
    assert [post.key for post in posts] == ["line-000000001", "line-000000003"]
    assert posts[0].created_at is None


@pytest.mark.parametrize("mark", ["BOM_UTF16_LE", "BOM_UTF16_BE", "BOM_UTF32_LE", "BOM_UTF32_BE"])
def test_every_byte_order_mark_is_understood_and_no_part_of_a_post(tmp_path: Path, mark: str) -> None:
    encoding = mark[4:].replace("_", "-").replace("UTF", "utf-").lower()
    assert texts(read(tmp_path, "a.txt", getattr(codecs, mark) + GERMAN.encode(encoding)))[0] == "Grüße aus Köln"


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("cp1251", "Сегодня утром кот пролил чай на мой ноутбук, и я думаю, что это знак."),
        ("koi8-r", "Сегодня утром кот пролил чай на мой ноутбук, и я думаю, что это знак."),
        ("cp1253", "Σήμερα το πρωί η γάτα έχυσε το τσάι μου στον υπολογιστή."),
        ("cp1256", "هذا الصباح سكبت القطة الشاي على حاسوبي."),
        ("shift-jis", "今日は天気がいいから散歩しましょう。お茶をこぼした猫がいます。"),
        ("euc-jp", "今日は天気がいいから散歩しましょう。お茶をこぼした猫がいます。"),
        ("gb18030", "今天天气很好，我们去散步吧。猫把茶洒在我的电脑上了。"),
        ("big5", "今天天氣很好，我們去散步吧。貓把茶灑在我的電腦上了。"),
        ("euc-kr", "오늘은 날씨가 좋아서 산책하자. 고양이가 차를 쏟았어요."),
        ("cp1250", "Dziś rano kot wylał herbatę na mój laptop. Żółw śpi, źle się dzieje."),
        ("cp1254", "Bu sabah kedi çayımı döktü, şaşırdım. Güneş doğdu, ışık güzel."),
        ("cp1252", "El niño comió año tras año; ça va très bien, à bientôt. São Paulo não é a capital."),
        ("cp1252", "It’s “quoted” — dashes… and that’s it"),
    ],
)
def test_older_encodings_are_told_by_their_words(tmp_path: Path, encoding: str, line: str) -> None:
    written = [f"{number} {line}" for number in range(40)]
    beginning = ["plain ASCII comes first"] * 3000
    posts = read(tmp_path, "a.txt", "\n".join([*beginning, *written]).encode(encoding))
    assert texts(posts)[3000:] == written


@pytest.mark.parametrize("word", ["Grüße", "café", "naïve", "Ça va?", "£5 a pint", "5° and ½"])
def test_a_short_text_in_an_older_encoding_is_western(tmp_path: Path, word: str) -> None:
    assert texts(read(tmp_path, "a.txt", word.encode("cp1252"))) == [word]


def test_one_torn_character_does_not_spoil_the_emoji(tmp_path: Path) -> None:
    content = "".join(f"tea ☕ number {n} 🌧️\n" for n in range(50)).encode() + "torn ☕".encode()[:-1]
    posts = read(tmp_path, "a.txt", content)
    assert posts[0].text == "tea ☕ number 0 🌧️"
    assert len(posts) == 51


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_file_that_ends_in_the_middle_of_its_only_emoji_but_one_keeps_the_other(tmp_path: Path, cut: int) -> None:
    posts = read(tmp_path, "a.txt", "naïve ☕\nand 🌧".encode()[:-cut])
    assert posts[0].text == "naïve ☕" and posts[1].text.startswith("and")


def test_pasted_text_is_a_post_a_line_whatever_it_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "pasted.csv"
    path.write_text('{"a": 1}\nRT @x: hello, you\n@y hi\n')
    posts = posts_of(open_source("text", path=path, settings=SETTINGS).pages())
    assert texts(posts) == ['{"a": 1}', "RT @x: hello, you", "@y hi"]
    assert [(post.is_repost, post.is_reply) for post in posts] == [(False, False), (True, False), (False, True)]


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
