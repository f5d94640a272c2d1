"""From an archive of many gigabytes, the browser sends only the post files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.person import Person
from tests.fakes import archives
from tests.fakes.posts import make_posts

TAKEN_OUT = """async () => {
  const { onlyPosts } = await import("/static/js/archive-posts.js");
  const posts = await onlyPosts(document.getElementById("id_file").files[0]);
  return posts && Array.from(new Uint8Array(await posts.arrayBuffer()));
}"""


def taken_out(person: Person, file: Path) -> bytes | None:
    """Return what the page sends instead of the file, or None if it sends the file itself."""
    person.open("/corpora/new")
    person.page.get_by_label("Your file").set_input_files(file)
    found = person.page.evaluate(TAKEN_OUT)
    return None if found is None else bytes(found)


def large_archive(path: Path, texts: list[str]) -> dict[str, bytes]:
    """Write an archive of 7 GB that takes no disk space, and return its post files."""
    tweets = [archives.tweet(index, text) for index, text in enumerate(texts)]
    posts = {
        "data/tweets.js": archives.ytd("tweets", 0, tweets[:200]),
        "data/tweets-part1.js": archives.ytd("tweets", 1, tweets[200:]),
        "data/note-tweet.js": archives.ytd("note_tweet", 0, [archives.note(900, "of a deleted post " * 20)]),
    }
    archives.write_large(
        path,
        {
            "data/tweets_media/1.mp4": 4_500_000_000,
            **archives.private_files(),
            **posts,
            "__MACOSX/data/tweets.js": b"litter",
            "data/tweets_media/2.mp4": 2_500_000_000,
        },
    )
    return posts


def test_an_archive_beyond_the_limit_is_brought_since_only_its_posts_are_sent(alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "twitter-archive.zip"
    large_archive(file, make_posts(450, seed=41))
    assert file.stat().st_size > 7_000_000_000  # the server takes 4 GB
    alice.open("/corpora/new")
    alice.choose_file(file)
    expect(alice.page.get_by_text("Only its posts and the name @someone are sent: ")).to_be_visible()
    alice.bring()
    alice.wait_for_corpus()
    # The label of its bots needs the name, and the file with the name stays in the browser.
    expect(alice.page.get_by_text("From the X archive twitter-archive.zip, posts by @someone")).to_be_visible()
    expect(alice.figure("found")).to_have_text("450")


def test_nothing_but_the_post_files_leaves_the_browser(alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "twitter-archive.zip"
    posts = large_archive(file, make_posts(450, seed=42))
    sent = taken_out(alice, file)
    assert sent is not None and len(sent) < 200_000
    with zipfile.ZipFile(io.BytesIO(sent)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == posts


def test_every_generation_is_taken_out(alice: Person, tmp_path: Path) -> None:
    texts = make_posts(20, seed=43)
    builds = [
        archives.archive_2022(texts),
        archives.archive_2022(texts, parts=3, top="twitter-2023-05-01-abc/"),
        archives.archive_2019(texts),
        archives.archive_2013(texts),
        archives.archive_csv(texts),
        b"something in front of it" + archives.archive_2022(texts),
    ]
    for data in builds:
        file = tmp_path / "archive.zip"
        file.write_bytes(data)
        sent = taken_out(alice, file)
        assert sent is not None
        with zipfile.ZipFile(io.BytesIO(sent)) as small, zipfile.ZipFile(file) as whole:
            names = small.namelist()
            assert names and all(small.read(name) == whole.read(name) for name in names)
            assert not set(names) & set(archives.private_files())


def test_what_is_no_archive_is_sent_as_it_is_for_the_server_to_tell(alice: Person, tmp_path: Path) -> None:
    whole = archives.archive_2022(make_posts(20, seed=44))
    for data in (
        whole[:-30],
        whole[: len(whole) // 2],
        b"",
        b"PK\x05\x06",
        b"hello",
        archives.pack({}),
        whole[:-10] + b"\xff" * 10,
    ):
        file = tmp_path / "archive.zip"
        file.write_bytes(data)
        assert taken_out(alice, file) is None
    file.write_bytes(whole[:-30])
    alice.open("/corpora/new")
    alice.choose_file(file)
    alice.bring()
    expect(alice.page.locator("#failure")).to_contain_text("The ZIP is incomplete or damaged")
