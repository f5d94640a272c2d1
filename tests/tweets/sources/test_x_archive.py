from __future__ import annotations

import csv
import json
import logging
import re
import time
import traceback
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from botfactory.files.zip_files import Member, ZipFolder
from tests.fakes import archives
from tests.fakes.posts import make_long_post, make_posts
from tests.tweets.sources.helpers import DATA, assert_resumes_everywhere, needs_data, posts_of
from tweets.sources import Post, SourceSettings, open_source
from tweets.sources.base import BadFile, FileTooLarge, NoPosts

SETTINGS = SourceSettings(page_size=7)
TEXTS = make_posts(30, seed=9)


def read(path: Path, limits: SourceSettings = SETTINGS) -> list[Post]:
    return posts_of(open_source("x_archive", path=path, settings=limits).pages())


def saved(tmp_path: Path, content: bytes, name: str = "archive.zip") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "build",
    [
        lambda texts: archives.archive_2022(texts),
        lambda texts: archives.archive_2022(texts, parts=3),
        lambda texts: archives.archive_2022(texts, top="twitter-2023-05-01-abc/"),
        lambda texts: archives.archive_2022(texts, top="../../etc/"),
        lambda texts: archives.archive_2019(texts),
        lambda texts: archives.archive_2013(texts),
        lambda texts: archives.archive_csv(texts),
        lambda texts: archives.pack(
            {"tweets.js": archives.ytd("tweets", 0, [archives.tweet(n, t) for n, t in enumerate(texts)])}, private=False
        ),
    ],
    ids=["2022", "parts", "in a folder", "dots", "2019", "2013", "csv", "bare"],
)
def test_every_generation_comes_whole_and_resumes(tmp_path: Path, build: Callable[[list[str]], bytes]) -> None:
    path = saved(tmp_path, build(TEXTS))
    posts = assert_resumes_everywhere(open_source("x_archive", path=path, settings=SETTINGS))
    assert [post.text for post in posts] == TEXTS
    assert all(post.created_at is not None and post.created_at.tzinfo is UTC for post in posts)
    assert all(post.key.isdigit() for post in posts)
    assert sorted(tmp_path.iterdir()) == [path]


def places_of(path: Path) -> dict[str, range]:
    """Return the positions of each file's header and bytes in a zip, with another reader than the tested one."""
    with zipfile.ZipFile(path) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
        ends = [entry.header_offset for entry in entries[1:]] + [archive.start_dir]
        return {entry.filename: range(entry.header_offset, end) for entry, end in zip(entries, ends, strict=True)}


@pytest.mark.parametrize("trouble", [False, True], ids=["whole", "damaged"])
def test_nothing_private_is_opened_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    path = saved(tmp_path, archives.archive_2022(TEXTS, parts=2, notes=[archives.note(0, "x" * 300)]))
    opened: list[str] = []
    real = ZipFolder.open

    def spy(self: ZipFolder, member: Member) -> Any:
        opened.append(member.name)
        return real(self, member)

    monkeypatch.setattr(ZipFolder, "open", spy)
    data = bytearray(path.read_bytes())
    if trouble:
        data[places_of(path)["data/tweets-part1.js"][200]] ^= 0xFF
    said = ""
    path.write_bytes(data)
    try:
        said = str(read(path))
    except BadFile as error:
        said = "".join(traceback.format_exception(error))
    assert bool(trouble) is ("BadFile" in said)
    assert sorted(set(opened)) == ["data/note-tweet.js", "data/tweets-part1.js", "data/tweets.js"]
    for secret in (archives.SECRET, archives.EMAIL, "203.0.113.7", "+15550100", "a post that was deleted"):
        assert secret not in said + caplog.text
    assert list(tmp_path.iterdir()) == [path]


def test_the_posts_are_the_same_when_every_private_byte_is_another(tmp_path: Path) -> None:
    path = saved(tmp_path, archives.archive_2022(TEXTS, parts=2, notes=[archives.note(0, "x" * 300)]))
    expected = read(path)
    data = bytearray(path.read_bytes())
    places = places_of(path)
    private = [name for name in places if name in archives.private_files()]
    assert len(private) == len(archives.private_files()) > 8
    for name in private:
        for place in places[name]:
            data[place] ^= 0x5A
    path.write_bytes(data)
    assert read(path) == expected and len(expected) == len(TEXTS)


def test_long_posts_are_whole(tmp_path: Path) -> None:
    whole = make_long_post(seed=2)
    items = [
        archives.tweet(0, f"{whole[:270]}… https://t.co/abcdefghij"),
        archives.tweet(1, f"@someone {whole[:260]}…", in_reply_to_user_id="5"),
        archives.tweet(2, "not a long one"),
    ]
    notes = [archives.note(0, whole, late=2), archives.note(1, whole), archives.note(2, "another text, much longer")]
    files = {
        "data/tweets.js": archives.ytd("tweets", 0, items),
        "data/note-tweet.js": archives.ytd("note_tweet", 0, notes),
    }
    posts = read(saved(tmp_path, archives.pack(files)))
    assert [post.text for post in posts] == [whole, f"@someone {whole}", "not a long one"]
    assert [post.is_reply for post in posts] == [False, True, False]


def test_a_long_post_may_have_a_link_that_is_another_one_in_its_note(tmp_path: Path) -> None:
    whole = make_long_post(seed=4)
    shown, full = (f"{whole[:40]} https://t.co/{name}{whole[40:]}" for name in ("abcdefghij", "klmnopqrst"))
    files = {
        "data/tweets.js": archives.ytd("tweets", 0, [archives.tweet(0, f"{shown[:270]}… https://t.co/uvwxyzabcd")]),
        "data/note-tweet.js": archives.ytd("note_tweet", 0, [archives.note(0, full)]),
    }
    assert [post.text for post in read(saved(tmp_path, archives.pack(files)))] == [full]


def test_a_post_of_spaces_takes_no_time(tmp_path: Path) -> None:
    files = {
        "data/tweets.js": archives.ytd("tweets", 0, [archives.tweet(0, "tea" + " " * 100_000 + "moss")]),
        "data/note-tweet.js": archives.ytd("note_tweet", 0, [archives.note(0, "tea and coffee")]),
    }
    path = saved(tmp_path, archives.pack(files))
    begun = time.process_time()
    read(path)
    assert time.process_time() - begun < 1


def test_retweets_replies_threads_entities_and_dates(tmp_path: Path) -> None:
    items = [
        archives.tweet(0, "RT @someone: words of somebody el…"),
        archives.tweet(1, "@someone yes", in_reply_to_user_id="5", in_reply_to_status_id="6"),
        archives.tweet(2, "2/ my thread goes on", in_reply_to_user_id="1", in_reply_to_status_id="7"),
        archives.tweet(3, "a < b && c > d", created_at="Wed Oct 10 20:19:24 +0000 2018"),
        archives.tweet(4, "no date", created_at="yesterday"),
        archives.tweet(4, "the same id again"),
        {"tweet": None},
    ]
    posts = read(saved(tmp_path, archives.ytd("tweets", 0, items) + b";\n", "tweets.js"))
    assert [post.is_repost for post in posts] == [True] + [False] * 6
    assert [post.is_reply for post in posts] == [False, True] + [False] * 5
    assert posts[3].text == "a < b && c > d"
    assert posts[3].created_at == datetime(2018, 10, 10, 20, 19, 24, tzinfo=UTC)
    assert posts[4].created_at is None
    assert posts[5].key == "tweets-000000005" and posts[6].text == ""


@pytest.mark.parametrize("has_details", [True, False])
def test_whole_posts_of_other_people_in_an_old_archive_are_reposts(tmp_path: Path, has_details: bool) -> None:
    names = ["Other", "Someone", "someone", None, "someone"]
    posts = [
        {"id_str": str(9 - place), "text": f"post {place}", "created_at": "2013-02-08 03:21:05 +0000"}
        | ({"user": {"screen_name": name}} if name else {})
        for place, name in enumerate(names)
    ]
    files = {"data/js/tweets/2013_02.js": f"Grailbird.data.tweets_2013_02 = {json.dumps(posts)}".encode()}
    if has_details:
        files["data/js/user_details.js"] = b'var user_details = {"screen_name": "someone"}'
    found = read(saved(tmp_path, archives.pack(files, private=False)))
    assert [post.is_repost for post in found] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archives.pack({}), "data/tweets.js"),
        (archives.pack({"posts.csv": b"id,text"}, private=False), "in it by itself"),
        (archives.pack({"word/document.xml": b"<x/>", "_rels/.rels": b""}, private=False), "Office"),
        (archives.pack({}, private=False), "empty"),
        (archives.pack({"data/tweets.js": b"[]"}), r"^tweets\.js isn’t a file"),
        (archives.pack({"data/tweets.js": archives.ytd("tweets", 0, [archives.tweet(0, "a")])[:-30]}), "is cut off"),
        (archives.archive_2022(TEXTS)[:-40], "incomplete"),
        (archives.ytd("like", 0, []), "“like”"),
        (b"", "isn’t a ZIP or an X archive"),
        (b"hello", "isn’t a ZIP or an X archive"),
        (b"window.YTD.tweets.part0 = [" + b"[" * 100_000, "nested"),
    ],
)
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(BadFile, match=words):
        read(saved(tmp_path, content))


def test_two_archives_in_one_zip_are_refused(tmp_path: Path) -> None:
    tweets = archives.ytd("tweets", 0, [archives.tweet(0, "a")])
    files = {"one/data/tweets.js": tweets, "two/data/tweets.js": tweets}
    with pytest.raises(BadFile, match="2 archives"):
        read(saved(tmp_path, archives.pack(files, private=False)))


def test_an_archive_without_posts_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoPosts):
        read(saved(tmp_path, archives.archive_2022([])))


def test_bombs_are_refused(tmp_path: Path) -> None:
    bomb = b'window.YTD.tweets.part0 = [{"tweet": {"full_text": "' + b"a" * 20_000_000 + b'"}}]'
    with pytest.raises(BadFile, match="tighter"):
        read(saved(tmp_path, archives.pack({"data/tweets.js": bomb})))
    with pytest.raises(FileTooLarge):
        read(saved(tmp_path, archives.archive_2022(TEXTS)), SourceSettings(max_archive_bytes=2000))
    with pytest.raises(FileTooLarge):
        read(saved(tmp_path, bomb, "tweets.js"), SourceSettings(max_archive_bytes=2_000_000))


def test_an_encrypted_or_damaged_zip_is_a_bad_file(tmp_path: Path) -> None:
    whole = archives.archive_2022(TEXTS)
    encrypted = re.sub(rb"(PK\x01\x02.{4})(.)", lambda m: m[1] + bytes([m[2][0] | 1]), whole, flags=re.S)
    with pytest.raises(BadFile, match="password"):
        read(saved(tmp_path, encrypted))
    middle = whole.index(b"data/tweets.js") + 400
    with pytest.raises(BadFile):
        read(saved(tmp_path, whole[:middle] + bytes(60) + whole[middle + 60 :]))


def peak_of(path: Path) -> int:
    """Return the peak memory of reading the archive, without its posts."""
    tracemalloc.start()
    try:
        assert sum(len(page.posts) for page in open_source("x_archive", path=path, settings=SETTINGS).pages()) > 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_archive_of_many_gigabytes_is_read_from_its_directory_with_little_memory(tmp_path: Path) -> None:
    post_file = archives.ytd("tweets", 0, [archives.tweet(number, text) for number, text in enumerate(TEXTS)])
    media: dict[str, bytes | int] = {f"data/tweets_media/{n}-{'a' * 40}.jpg": 1000 for n in range(8_000)}
    path = tmp_path / "large.zip"
    archives.write_large(
        path, {"data/tweets_media/video.mp4": 5_000_000_000, "data/tweets.js": post_file, **media, "data/x.js": 10**9}
    )
    assert path.stat().st_size > 6_000_000_000
    assert [post.text for post in read(path)] == TEXTS
    # zipfile, which holds the whole directory, takes some 6 MB here.
    assert peak_of(path) < 1_000_000


def test_memory_does_not_grow_with_the_posts(tmp_path: Path) -> None:
    few, many = saved(tmp_path, archives.archive_2022(make_posts(2_000, seed=3))), tmp_path / "many.zip"
    many.write_bytes(archives.archive_2022(make_posts(10_000, seed=3)))
    # Only the ids are kept, about 100 bytes each, to recognise duplicates.
    assert peak_of(many) < peak_of(few) + 8_000 * 250


def test_a_zip_that_is_all_directory_is_refused_with_little_memory(tmp_path: Path) -> None:
    bomb: dict[str, bytes | int] = {f"{number}/tweets.js": 0 for number in range(8_000)}
    path = tmp_path / "bomb.zip"
    archives.write_large(path, bomb)
    tracemalloc.start()
    with pytest.raises(BadFile, match="more post files"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 6_000_000
    tracemalloc.stop()


def test_a_cursor_of_another_archive_is_refused(tmp_path: Path) -> None:
    source = open_source("x_archive", path=saved(tmp_path, archives.archive_2022(TEXTS)), settings=SETTINGS)
    with pytest.raises(BadFile, match="another archive"):
        list(source.pages(json.dumps({"file": "data/tweets-part9.js", "index": 3})))
    with pytest.raises(ValueError):
        list(source.pages("[]"))


def _zipped(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / f"{folder.name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


def _counted(folder: Path) -> Counter[str]:
    """Return how often each id appears in the post files, with another parser than the tested one."""
    found: Counter[str] = Counter()
    for file in (*folder.glob("data/tweet.js"), *folder.glob("data/tweets.js"), *folder.glob("data/js/tweets/*.js")):
        raw = file.read_text(encoding="utf-8")
        for item in json.loads(raw[raw.index("[") :]):
            found[item.get("tweet", item)["id_str"]] += 1
    return found


EXPECTED = {
    "grailbird-2013-peoii": 735,
    "grailbird-2020-singaporesail": 1730,
    "ytd-notetweet-2024-alrocar": 1223,
    "ytd-tweet-2020-lumeninferius": 22,
    "ytd-tweets-2022-andreruffert": 1986,
    "ytd-tweets-2022-jacklance": 515,
}


@needs_data
@pytest.mark.parametrize("name", EXPECTED)
def test_every_real_archive_comes_whole(name: str, tmp_path: Path) -> None:
    folder = DATA / "archives" / name
    counted = _counted(folder)
    source = open_source("x_archive", path=_zipped(folder, tmp_path), settings=SourceSettings(page_size=300))
    posts = assert_resumes_everywhere(source)
    assert len(posts) == counted.total() == EXPECTED[name]
    assert {post.key for post in posts} >= set(counted)
    assert all(post.text and post.created_at is not None for post in posts)
    for file in (*folder.glob("data/tweet.js"), *folder.glob("data/tweets.js")):
        assert [post.key for post in read(file)] == [post.key for post in posts]


def cut_in(parts: int, file: Path) -> dict[str, bytes]:
    """`tweets.js` as the archives of people who wrote much have it: `tweets.js`, `tweets-part1.js` and so on."""
    raw = file.read_text(encoding="utf-8")
    posts = json.loads(raw[raw.index("[") :])
    size = -(-len(posts) // parts)
    return {
        f"data/tweets{f'-part{n}' if n else ''}.js": archives.ytd("tweets", n, posts[n * size : (n + 1) * size])
        for n in range(parts)
    }


@needs_data
@pytest.mark.parametrize("parts", [2, 12])
@pytest.mark.parametrize("name", [name for name in EXPECTED if "-tweets-" in name or "notetweet" in name])
def test_a_real_archive_cut_in_parts_is_the_same(name: str, parts: int, tmp_path: Path) -> None:
    folder = DATA / "archives" / name
    files = cut_in(parts, folder / "data/tweets.js")
    assert len(files) == parts
    notes = folder / "data/note-tweet.js"
    if notes.exists():
        files["data/note-tweet.js"] = notes.read_bytes()
    path = saved(tmp_path, archives.pack(files))
    whole = read(_zipped(folder, tmp_path))
    assert assert_resumes_everywhere(open_source("x_archive", path=path, settings=SourceSettings())) == whole
    # A person may also upload a single part.
    last = saved(tmp_path, files[f"data/tweets-part{parts - 1}.js"], f"tweets-part{parts - 1}.js")
    alone = read(last)
    assert alone and [post.key for post in alone] == [post.key for post in whole][-len(alone) :]


@needs_data
def test_the_real_long_posts_are_joined(tmp_path: Path) -> None:
    folder = DATA / "archives" / "ytd-notetweet-2024-alrocar"
    raw = (folder / "data/note-tweet.js").read_text(encoding="utf-8")
    notes = [item["noteTweet"]["core"]["text"] for item in json.loads(raw[raw.index("[") :])]
    assert len(notes) == 41
    posts = {post.text for post in read(_zipped(folder, tmp_path))}
    long_ones = [note for note in notes if len(note) > 280]
    assert len(long_ones) == 30
    assert [note for note in long_ones if not any(post.endswith(note) for post in posts)] == []


@needs_data
@pytest.mark.parametrize(("name", "rows"), [("grailbird-2013-peoii", 735), ("grailbird-2020-singaporesail", 1027)])
def test_the_real_tables_come_whole_alone(name: str, rows: int, tmp_path: Path) -> None:
    table = DATA / "archives" / name / "tweets.csv"
    with table.open(encoding="utf-8", newline="") as lines:
        expected = [row["tweet_id"] for row in csv.DictReader(lines)]
    assert len(expected) == rows
    path = saved(tmp_path, archives.pack({"tweets.csv": table.read_bytes()}, private=False))
    assert [post.key for post in read(path)] == expected
    assert [post.key for post in posts_of(open_source("file", path=table, settings=SETTINGS).pages())] == expected


@pytest.mark.parametrize("variable", ["window.YTD.tweets.part0", "Grailbird.data.tweets_2013_02"])
def test_a_file_that_an_editor_saved_with_a_byte_order_mark_is_read(tmp_path: Path, variable: str) -> None:
    content = f'{variable} = [{{"tweet": {{"id_str": "7", "full_text": "tea at four"}}}}]'
    path = saved(tmp_path, content.encode("utf-8-sig"), "tweets.js")
    assert [post.text for post in read(path)] == ["tea at four"]
