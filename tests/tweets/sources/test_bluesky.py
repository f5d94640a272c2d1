from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bluesky_server import BlueskyServer, did_of, item, link, tid_at
from tests.fakes.server import Answer, Replay
from tests.tweets.sources.helpers import DATA, needs_data, posts_of
from tweets.sources import Source, SourceError, SourceSettings, open_source
from tweets.sources.base import RateLimited
from tweets.sources.bluesky.settings import BlueskySettings

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[BlueskyServer]:
    with BlueskyServer() as api:
        yield api


@pytest.fixture
def api(server: BlueskyServer) -> BlueskyServer:
    server.requests.clear()
    return server


def source_at(url: str, handle: str, **options: Any) -> Source:
    defaults: dict[str, Any] = {"retry_delays": (0.01, 0.01), "timeout_seconds": 10, "max_posts": 20_000}
    settings = SourceSettings(own=BlueskySettings(api_url=url), **defaults | options)
    return open_source("bluesky", handle=handle, settings=settings)


def replayed(*bodies: Any, handle: str = "chatty.bsky.social", **options: Any) -> list[Any]:
    """Return the pages that a source makes from answers: bodies with status 200, or whole answers."""
    answers = [body if isinstance(body, Answer) else Answer(200, body) for body in bodies]
    with Replay(*answers) as api:
        return list(source_at(api.url, handle, retry_delays=(), **options).pages())


def profile(handle: str = "chatty.bsky.social", **more: Any) -> dict[str, Any]:
    return {"did": did_of(handle), "handle": handle, "postsCount": 3, **more}


def keys(feed: list[dict[str, Any]]) -> list[str]:
    return [entry["post"]["uri"].rsplit("/", 1)[-1] for entry in feed]


def test_all_posts_come_in_order_and_each_once(api: BlueskyServer) -> None:
    pages = list(source_at(api.url, "prolific.bsky.social").pages())
    posts = posts_of(pages)
    feed = api.feed_of("prolific.bsky.social")
    assert [post.key for post in posts] == keys(feed)
    assert [post.text for post in posts] == [entry["post"]["record"]["text"] for entry in feed]
    assert posts[0].created_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert pages[0].posts == () and {page.total for page in pages} == {1240}
    assert [len(page.posts) for page in pages[1:]] == [100] * 12 + [40] and pages[-1].cursor is None
    assert [request.query["limit"] for request in api.requests[1:]] == ["100"] * 13
    assert {request.query["actor"] for request in api.requests[1:]} == {did_of("prolific.bsky.social")}


def test_no_more_than_asked_for_is_read(api: BlueskyServer) -> None:
    pages = list(source_at(api.url, "prolific.bsky.social", max_posts=230).pages())
    assert [len(page.posts) for page in pages] == [0, 100, 100, 30]
    assert pages[0].total == 230


@pytest.mark.parametrize("actor", ["essays.example.com", did_of("essays.example.com")])
def test_a_domain_of_ones_own_and_a_did_are_handles_too(api: BlueskyServer, actor: str) -> None:
    assert len(posts_of(source_at(api.url, actor).pages())) == 40


def test_reposts_replies_quotes_and_warnings_are_marked_and_threads_are_not(api: BlueskyServer) -> None:
    posts = posts_of(source_at(api.url, "chatty.bsky.social").pages())
    assert [index for index, post in enumerate(posts) if post.is_repost] == [1]
    assert [index for index, post in enumerate(posts) if post.is_reply] == [2, 7]
    assert [index for index, post in enumerate(posts) if post.is_quote] == [4]
    assert [index for index, post in enumerate(posts) if post.has_warning] == [8]
    assert posts[1].text == "words of somebody else" and posts[1].key.startswith("repost-")
    assert posts[6].text == ""


@pytest.mark.parametrize(
    ("option", "missing"),
    [("include_reposts", {1}), ("include_replies", {2, 7}), ("include_quotes", {4})],
)
def test_what_is_not_wanted_is_left_out(api: BlueskyServer, option: str, missing: set[int]) -> None:
    whole = posts_of(source_at(api.url, "chatty.bsky.social").pages())
    rest = posts_of(source_at(api.url, "chatty.bsky.social", **{option: False}).pages())
    assert rest == [post for index, post in enumerate(whole) if index not in missing]


def test_a_shortened_link_is_whole_and_a_word_that_is_one_stays_a_word(api: BlueskyServer) -> None:
    post = posts_of(source_at(api.url, "chatty.bsky.social").pages())[5]
    assert post.text == "☕ I wrote about moss: https://example.com/a-very-long-address?moss=1 and read this"


def test_facets_that_make_no_sense_change_nothing() -> None:
    handle, text = "chatty.bsky.social", "☕ see example.com/a... and b"
    good = link(text, "example.com/a...", "https://example.com/a/b")
    bad: list[Any] = [
        {"index": {"byteStart": 1, "byteEnd": 6}, "features": good["features"]},  # inside of a character
        {"index": {"byteStart": 8, "byteEnd": 99_999}, "features": good["features"]},
        {"index": {"byteStart": 20, "byteEnd": 10}, "features": good["features"]},
        {"index": {"byteStart": "8", "byteEnd": None}, "features": good["features"]},
        {"index": good["index"], "features": [{"uri": 5}, None, {"tag": "moss"}]},
        {"index": [], "features": {}},
        None,
        "facet",
        good,
        good,
    ]
    page = {"feed": [item(handle, text, WHEN, facets=bad), item(handle, text, WHEN, facets="?")]}
    texts = [post.text for post in posts_of(replayed(profile(), page))]
    assert texts == ["☕ see https://example.com/a/b and b", text]


@pytest.mark.parametrize(
    ("handle", "code", "words"),
    [
        ("nobody.bsky.social", "unknown_handle", "@nobody.bsky.social"),
        ("takendown.bsky.social", "suspended_handle", "taken down"),
        ("deactivated.bsky.social", "suspended_handle", "deactivated"),
        ("hidden.bsky.social", "protected_handle", "aren’t signed in"),
        ("empty.bsky.social", "no_posts", "@empty.bsky.social"),
        ("down.bsky.social", "source_unavailable", "503"),
        ("garbled.bsky.social", "bad_answer", "can’t read"),
    ],
)
def test_each_trouble_has_its_sentence(api: BlueskyServer, handle: str, code: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as raised:
        list(source_at(api.url, handle).pages())
    assert raised.value.code == code
    assert raised.value.transient is (code == "source_unavailable")
    assert str(raised.value)[0].isupper() or str(raised.value)[0] == "@"
    assert len(api.requests) == {"source_unavailable": 3, "no_posts": 2}.get(code, 1)


def test_a_label_that_was_taken_back_hides_nothing() -> None:
    labels = [{"val": "!no-unauthenticated", "neg": True}, {"val": "something"}, None]
    page = {"feed": [item("chatty.bsky.social", "hello", WHEN)]}
    assert len(posts_of(replayed(profile(labels=labels), page))) == 1


def test_an_account_that_hides_itself_later_is_left_alone_when_newer_posts_are_asked_for() -> None:
    hidden = profile(labels=[{"val": "!no-unauthenticated"}])
    with pytest.raises(SourceError) as raised:
        replayed(hidden, newer_than="3kaaaaaaaaaaa")
    assert raised.value.code == "protected_handle"


def test_a_rate_limit_says_when_and_the_import_goes_on_from_there() -> None:
    with BlueskyServer() as api:
        found: list[str] = []
        cursor: str | None = None
        with pytest.raises(RateLimited, match="Bluesky asks us to wait until") as raised:
            for page in source_at(api.url, "limited.bsky.social").pages():
                found += [post.key for post in page.posts]
                cursor = page.cursor
        wait = raised.value.retry_at - datetime.now(UTC)
        assert timedelta(seconds=880) < wait < timedelta(seconds=905)
        found += [post.key for post in posts_of(source_at(api.url, "limited.bsky.social").pages(cursor))]
        assert found == keys(api.feed_of("limited.bsky.social"))
        assert sum("getProfile" in request.path for request in api.requests) == 1


@pytest.mark.parametrize("handle", ["flaky.bsky.social", "cut.bsky.social"])
def test_short_trouble_is_waited_out(handle: str) -> None:
    with BlueskyServer() as api:
        posts = posts_of(source_at(api.url, handle).pages())
        assert [post.key for post in posts] == keys(api.feed_of(handle))


def test_from_every_cursor_the_rest_comes_and_no_more(api: BlueskyServer) -> None:
    pages = list(source_at(api.url, "prolific.bsky.social", max_posts=520).pages())
    whole = posts_of(pages)
    done = 0
    for page in pages[:-1]:
        done += len(page.posts)
        rest = list(source_at(api.url, "prolific.bsky.social", max_posts=520).pages(page.cursor))
        assert posts_of(rest) == whole[done:] and rest[0].total == 520
    for nonsense in ("x", "[]", "{}", '{"did": "1", "more": 2}', "[" * 100_000):
        with pytest.raises(ValueError):
            list(source_at(api.url, "prolific.bsky.social").pages(nonsense))


def test_newer_posts_come_without_the_older_pages(api: BlueskyServer) -> None:
    handle = "prolific.bsky.social"
    newest = keys(api.feed_of(handle))[0]
    api.publish(handle, ["first news", "second news"])
    pages = list(source_at(api.url, handle, newer_than=newest).pages())
    assert [len(page.posts) for page in pages] == [0, 100] and {page.total for page in pages} == {None}
    assert [post.text for post in pages[1].posts[:2]] == ["second news", "first news"]
    api.requests.clear()
    # This also works if the newest stored post has been deleted there.
    older = tid_at(datetime(2026, 10, 31, 23, tzinfo=UTC))
    assert [len(page.posts) for page in source_at(api.url, handle, newer_than=older).pages()] == [0, 100]
    # A key that isn't a time is recognised at its position.
    with BlueskyServer() as fresh:
        feed = fresh.feed_of(handle)
        feed[150]["post"]["uri"] = feed[150]["post"]["uri"].rsplit("/", 1)[0] + "/self-made"
        assert [len(p.posts) for p in source_at(fresh.url, handle, newer_than="self-made").pages()] == [0, 100, 100]


def test_nothing_new_is_no_error() -> None:
    pages = replayed(profile(), {"feed": []}, newer_than="3kaaaaaaaaaaa")
    assert posts_of(pages) == [] and pages[-1].cursor is None


def test_the_same_page_again_and_again_and_empty_pages_come_to_an_end(api: BlueskyServer) -> None:
    assert len(list(source_at(api.url, "looping.bsky.social").pages())) == 3
    empty = [{"feed": [], "cursor": str(number)} for number in range(50)]
    page = {"feed": [item("chatty.bsky.social", "hello", WHEN)], "cursor": "start"}
    assert len(replayed(profile(), page, *empty)) == 12


def test_a_page_that_was_emptied_is_not_the_end() -> None:
    pages = replayed(
        profile(), {"feed": [], "cursor": "a"}, {"feed": [item("chatty.bsky.social", "hello", WHEN)], "cursor": ""}
    )
    assert [post.text for post in posts_of(pages)] == ["hello"]


def test_items_without_a_post_are_passed_over_and_long_keys_shortened() -> None:
    good = item("chatty.bsky.social", "hello \ud83d\x00there", WHEN)
    long = item("chatty.bsky.social", "long", WHEN)
    long["post"]["uri"] += "x" * 500
    undated = item("chatty.bsky.social", "undated", WHEN)
    undated["post"]["record"]["createdAt"] = "yesterday"
    nowhere = item("chatty.bsky.social", "nowhere", WHEN)
    del nowhere["post"]["uri"]
    odd: list[Any] = [None, 5, [], {}, {"post": None}, {"post": {"record": "text", "uri": "at://x/y/z"}}, nowhere]
    posts = posts_of(replayed(profile(), {"feed": [*odd, good, long, undated]}))
    assert [post.text for post in posts] == ["hello there", "long", "undated"]
    assert all(0 < len(post.key) <= 64 for post in posts)
    assert posts[2].created_at == WHEN + timedelta(seconds=0.5)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            Answer(400, {"error": "InvalidRequest", "message": "Error: actor must be a valid did or a handle"}),
            "unknown_handle",
        ),
        (Answer(400, {"error": "InvalidRequest", "message": "Unable to resolve handle"}), "unknown_handle"),
        (Answer(401, {"error": "AuthMissing", "message": "Authentication Required"}), "protected_handle"),
        (Answer(400, {"error": "InvalidRequest"}), "bad_answer"),
        (Answer(404, "<html>"), "bad_answer"),
        (Answer(200, {"did": 5}), "bad_answer"),
        (Answer(200, {"did": ""}), "bad_answer"),
        (Answer(200, []), "bad_answer"),
        (Answer(200, b""), "bad_answer"),
        (Answer(200, b"[" * 100_000), "bad_answer"),
        (Answer(204, b""), "bad_answer"),
        (Answer(302, b"", {"Location": "http://127.0.0.1:1/"}), "refused_address"),
        (Answer(429, b""), "rate_limited"),
        (Answer(502, b""), "source_unavailable"),
    ],
)
def test_other_answers_are_told_too(answer: Answer, code: str) -> None:
    for before in ([], [profile()]):
        with pytest.raises(SourceError) as raised:
            replayed(*before, answer)
        assert raised.value.code == code, str(raised.value)


# What Bluesky's own tests and other libraries recorded


def recorded(folder: str) -> list[Path]:
    return sorted((DATA / "api" / "bluesky" / folder).glob("*.json"))


@needs_data
@pytest.mark.parametrize("path", recorded("atproto/author-feed"), ids=lambda path: path.stem[-30:])
def test_recorded_feeds_are_read_whole(path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))
    feed = body if isinstance(body, list) else body["feed"]
    own = next(entry["post"]["author"]["did"] for entry in feed if "reason" not in entry)
    posts = posts_of(replayed({"did": own, "postsCount": 9}, {"feed": feed}))
    assert [post.text for post in posts] == [entry["post"]["record"]["text"] for entry in feed]
    reposts = ["Repost" in entry.get("reason", {}).get("$type", "") for entry in feed]
    assert [post.is_repost for post in posts] == [
        repost or entry["post"]["author"]["did"] != own for repost, entry in zip(reposts, feed, strict=True)
    ]
    replies = [(post, entry["reply"]) for post, entry in zip(posts, feed, strict=True) if "reply" in entry]
    to_others = [reply["parent"]["author"]["did"] != own for post, reply in replies if not post.is_repost]
    assert [post.is_reply for post, _ in replies if not post.is_repost] == to_others


@needs_data
@pytest.mark.parametrize("path", recorded("atproto/profile"), ids=lambda path: path.stem[-30:])
def test_recorded_profiles_are_a_look_up_or_a_sentence(path: Path) -> None:
    body = json.loads(path.read_text(encoding="utf-8"))
    page = {"feed": [item("chatty.bsky.social", "hello", WHEN)]}
    is_profile = isinstance(body, dict) and "did" in body
    try:
        pages = replayed(body, page)
        found: object = (pages[0].total, len(posts_of(pages)))
    except SourceError as error:
        found = error.code
    assert found == ((body.get("postsCount"), 1) if is_profile else "bad_answer")


@needs_data
def test_recorded_records_of_other_libraries_are_posts() -> None:
    read = 0
    for path in [*recorded("granary"), *recorded("atproto-py")]:
        body = json.loads(path.read_text(encoding="utf-8"))
        views = [body.get("post", body), body.get("thread", {}).get("post", {}), {"record": body, "uri": "at://a/b/c"}]
        for view in views:
            if not (isinstance(view, dict) and isinstance(view.get("record"), dict) and view.get("uri")):
                continue
            posts = posts_of(replayed(profile(), {"feed": [{"post": view}]}))
            assert [post.text for post in posts] == [view["record"].get("text", "")]
            read += 1
    assert read > 15
