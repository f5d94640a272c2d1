"""Posts in the shapes of the networks' own exports and answers, brought as a file."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bluesky_server import BlueskyServer
from tests.tweets.sources.helpers import DATA, needs_data, posts_of
from tweets.sources import Post, SourceSettings, open_source
from tweets.sources.base import BadFile
from tweets.sources.reading.records import id_of

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
RECORDED = sorted((DATA / "api" / "twitter-v1.1").rglob("*.json")) if DATA.is_dir() else []


def read(tmp_path: Path, document: Any, name: str = "a.json", indent: int | None = None) -> list[Post]:
    path = tmp_path / name
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=False), encoding="utf-8")
    return posts_of(open_source("file", path=path, settings=SourceSettings()).pages())


def read_or_told(tmp_path: Path, document: Any, name: str, indent: int | None = None) -> list[Post]:
    """The posts; none where a sentence says that there are none."""
    try:
        posts = read(tmp_path, document, name, indent)
    except BadFile as error:
        assert str(error).endswith(".")
        return []
    assert posts
    return posts


def bodies_of(path: Path) -> list[Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    recordings = document if isinstance(document, list) else [document]
    if all(isinstance(each, dict) and "response" in each for each in recordings):
        return [each["response"]["body"] for each in recordings]
    return [document]


def posts_in(body: Any) -> list[dict[str, Any]]:
    """The posts of an answer of X's old API, told by its shape alone."""
    found = body.get("statuses", [body]) if isinstance(body, dict) else body
    return [each for each in found if isinstance(each, dict) and ("text" in each or "full_text" in each)]


def whole_text(post: dict[str, Any]) -> str:
    text = post.get("extended_tweet", {}).get("full_text") or post.get("full_text") or post["text"]
    return re.sub("&(?:amp|lt|gt|quot|#39);", lambda entity: html.unescape(entity[0]), text)


@needs_data
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recorded_answer_of_the_old_api_is_read_whole_or_told(path: Path, tmp_path: Path) -> None:
    bodies = bodies_of(path)
    assert bodies
    for body in bodies:
        expected = posts_in(body)
        for name, indent in (("a.json", None), ("b.json", 1), ("c", 1)):
            posts = read_or_told(tmp_path, body, name, indent)
            assert [post.key for post in posts] == [str(each.get("id_str", each["id"])) for each in expected]
            assert [post.text for post in posts] == [whole_text(each) for each in expected]
            reposts = ["retweeted_status" in each or whole_text(each).startswith("RT @") for each in expected]
            assert [post.is_repost for post in posts] == reposts


@needs_data
def test_the_old_api_was_recorded_in_so_many_posts() -> None:
    assert len(RECORDED) == 82
    assert sum(len(posts_in(body)) for path in RECORDED for body in bodies_of(path)) > 700


@needs_data
@pytest.mark.parametrize(
    ("name", "count"),
    [("get_users_tweets", 2), ("get_home_timeline", 98), ("get_tweet", 1), ("get_tweets", 2), ("get_users", None)],
)
def test_recorded_answers_of_the_new_api_are_files_too(name: str, count: int | None, tmp_path: Path) -> None:
    [body] = bodies_of(DATA / "api" / "twitter-v2" / "tweepy" / f"{name}.json")
    for indent in (None, 2):
        if count is None:
            with pytest.raises(BadFile):
                read(tmp_path, body, indent=indent)
            continue
        data = body["data"] if isinstance(body["data"], list) else [body["data"]]
        posts = read(tmp_path, body, indent=indent)
        assert [post.key for post in posts] == [each["id"] for each in data] and len(posts) == count


@needs_data
def test_recorded_pages_of_mastodon_are_files_too(tmp_path: Path) -> None:
    folder = DATA / "api" / "mastodon" / "mastodon-py"
    bodies = bodies_of(folder / "account_statuses__test_fetch_next_previous.json")
    assert bodies
    for body in bodies:
        posts = read(tmp_path, body)
        assert [post.key for post in posts] == [each["id"] for each in body] and len(posts) == 5
        assert not any("<" in post.text for post in posts)


@needs_data
def test_recorded_feeds_of_bluesky_are_files_too(tmp_path: Path) -> None:
    paths = sorted((DATA / "api" / "bluesky" / "atproto" / "author-feed").glob("*.json"))
    assert len(paths) == 6
    for path in paths:
        body = json.loads(path.read_text(encoding="utf-8"))
        feed = body if isinstance(body, list) else body["feed"]
        own = [each["post"] for each in feed if "Repost" not in str(each.get("reason"))]
        for document in (feed, {"cursor": "1", "feed": feed}):
            posts = read(tmp_path, document)
            assert [post.text for post in posts] == [each["post"]["record"]["text"] for each in feed]
            # The recordings have placeholders for the addresses, so nobody knows whose thread a reply belongs to.
            assert [post.is_reply for post in posts if not post.is_repost] == [
                "reply" in each["record"] or each["record"]["text"].startswith("@") for each in own
            ]
            assert [post.is_quote for post in posts if not post.is_repost] == [
                each.get("embed", {}).get("$type") == "app.bsky.embed.record#view" for each in own
            ]


def test_a_feed_of_bluesky_has_the_kinds_of_posts_that_the_network_gives(tmp_path: Path) -> None:
    with BlueskyServer() as api:
        feed = api.feed_of("chatty.bsky.social")
    posts = read(tmp_path, {"feed": feed})
    assert [index for index, post in enumerate(posts) if post.is_repost] == [1]
    # The fourth goes on with a thread of the account.
    assert [index for index, post in enumerate(posts) if post.is_reply] == [2, 7]
    assert [index for index, post in enumerate(posts) if post.is_quote] == [4]
    assert [index for index, post in enumerate(posts) if post.has_warning] == [8]


@pytest.mark.parametrize("parent", [None, {}, {"uri": 5}, {"uri": "at://"}])
def test_a_reply_of_bluesky_to_an_unknown_post_is_one(tmp_path: Path, parent: Any) -> None:
    view = {"uri": "3k", "record": {"text": "so it is", "reply": {"parent": parent}}}
    assert [post.is_reply for post in read(tmp_path, [{"post": view}])] == [True]


ACTOR = "https://a.example/users/someone"


def activity(number: int, content: str, to: str = PUBLIC, **note: Any) -> dict[str, Any]:
    """A post as it stands in the outbox.json of a Mastodon export."""
    address = f"{ACTOR}/statuses/{number}"
    body = {"id": address, "type": "Note", "summary": None, "inReplyTo": None, "content": content, **note}
    return {
        "id": f"{address}/activity",
        "type": "Create",
        "actor": ACTOR,
        "published": "2024-05-01T12:00:00Z",
        "to": [to],
        "cc": [f"{ACTOR}/followers"],
        "object": body,
    }


def test_the_outbox_of_a_mastodon_export_comes_without_what_is_private(tmp_path: Path) -> None:
    outbox = {
        "@context": ["https://www.w3.org/ns/activitystreams", {"ostatus": "http://ostatus.org#"}],
        "id": "outbox.json",
        "type": "OrderedCollection",
        "totalItems": 6,
        "orderedItems": [
            activity(1, "<p>Moss &amp; stone<br>again</p>"),
            activity(2, "<p>an answer</p>", inReplyTo="https://b.example/1"),
            activity(3, "<p>the butler</p>", summary="a spoiler"),
            activity(4, "<p>a direct message</p>", to="https://b.example/users/friend"),
            activity(5, "<p>not listed</p>", to=f"{ACTOR}/followers") | {"cc": [PUBLIC]},
            {**activity(6, ""), "type": "Announce", "object": "https://b.example/users/friend/statuses/9"},
        ],
    }
    posts = read(tmp_path, outbox, "outbox.json")
    assert [post.text for post in posts] == ["Moss & stone\nagain", "an answer", "the butler", "", "not listed", ""]
    assert [post.key for post in posts] == ["1", "2", "3", "4", "5", "6"]
    assert posts[0].created_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert [post.is_reply for post in posts].index(True) == 1 and [post.has_warning for post in posts].index(True) == 2
    assert posts[5].is_repost
    assert "direct message" not in str(posts)


def test_in_an_outbox_the_next_post_of_a_thread_is_no_reply(tmp_path: Path) -> None:
    without_actor = activity(4, "it names its author", inReplyTo=f"{ACTOR}/statuses/2", attributedTo=ACTOR)
    del without_actor["actor"]
    items = [
        activity(1, "a thread begins"),
        activity(2, "it goes on", inReplyTo=f"{ACTOR}/statuses/1"),
        activity(3, "the actor is an object", inReplyTo=f"{ACTOR}/statuses/2") | {"actor": {"id": f"{ACTOR}/"}},
        without_actor,
        activity(5, "somebody with a longer name", inReplyTo=f"{ACTOR}2/statuses/1"),
        activity(6, "nobody knows whose", inReplyTo="https://a.example/notes/1") | {"actor": None},
    ]
    posts = read(tmp_path, {"orderedItems": items}, "outbox.json")
    assert [post.is_reply for post in posts] == [False, False, False, False, True, True]


def note(number: int, text: str | None, visibility: str = "public", **more: Any) -> dict[str, Any]:
    """A note as Misskey exports it."""
    nothing: dict[str, Any] = {
        "fileIds": [],
        "replyId": None,
        "renoteId": None,
        "poll": None,
        "cw": None,
        "visibleUserIds": [],
    }
    at = f"2024-05-01T12:00:0{number}.000Z"
    return {"id": f"9s{number}", "text": text, "createdAt": at, **nothing, "visibility": visibility, **more}


def test_the_notes_of_misskey_come_without_what_is_private(tmp_path: Path) -> None:
    notes = [
        note(1, "Moss and stone"),
        note(2, "at home", "home"),
        note(3, "to followers", "followers"),
        note(4, "a direct message", "specified", visibleUserIds=["9a"]),
        note(5, "an answer", replyId="9b"),
        note(6, "the butler", cw="a spoiler"),
        note(7, "look at that", renoteId="9c"),
        note(8, None, renoteId="9d"),
    ]
    posts = read(tmp_path, notes, "notes.json")
    assert [post.key for post in posts] == [each["id"] for each in notes]
    public = ["Moss and stone", "at home", "", "", "an answer", "the butler", "look at that", ""]
    assert [post.text for post in posts] == public
    assert posts[0].created_at == datetime(2024, 5, 1, 12, 0, 1, tzinfo=UTC)
    for name, number in (("is_reply", 5), ("has_warning", 6), ("is_quote", 7), ("is_repost", 8)):
        assert [getattr(post, name) for post in posts] == [each == number for each in range(1, 9)], name


@pytest.mark.parametrize(
    "document",
    [
        {"errors": [{"code": 63, "message": "User has been suspended."}]},
        {"error": "Not authorized"},
        {"data": [{"id": "1", "username": "someone"}]},
        {"post": {"record": {"text": 5}, "uri": 7}},
        {"type": "Create", "object": None},
        {"orderedItems": []},
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_what_holds_no_post_is_no_post(tmp_path: Path, document: dict[str, Any], name: str) -> None:
    # An activity without an object is one, with no text.
    assert {post.text for post in read_or_told(tmp_path, document, name)} <= ({""} if "object" in document else set())


def test_a_huge_object_without_a_list_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no list of posts"):
        read(tmp_path, {f"key {number}": "x" * 1000 for number in range(20_000)})


def test_a_number_that_is_too_long_is_no_id() -> None:
    assert id_of({"id": 10**63}) == str(10**63) and id_of({"id": 10**64}) is None
    assert id_of({"id": 10**64, "post_id": "a"}) == "a"
