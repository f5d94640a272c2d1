from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.server import Answer, Replay
from tests.fakes.x_api_server import TOKEN, XApiServer
from tests.tweets.sources.helpers import DATA, needs_data, posts_of
from tweets.sources import Source, SourceError, SourceSettings, open_source
from tweets.sources.base import RateLimited, SourceUnavailable
from tweets.sources.x.costs import estimated_cost
from tweets.sources.x.reader import XApiSource
from tweets.sources.x.settings import XSettings


@pytest.fixture
def api() -> Iterator[XApiServer]:
    with XApiServer() as server:
        yield server


def source_at(api: XApiServer, handle: str, **options: Any) -> Source:
    defaults: dict[str, Any] = {"retry_delays": (0.01, 0.01), "timeout_seconds": 10}
    own = at(api.url, options.pop("token", TOKEN))
    return open_source("x", handle=handle, settings=SourceSettings(own=own, **{**defaults, **options}))


def at(url: str, token: str = TOKEN) -> XSettings:
    return XSettings(bearer_token=token, api_url=url)


def assert_nothing_bought_twice(api: XApiServer) -> None:
    sold = api.pages_sold()
    assert len(sold) == len(set(sold))
    assert sum("/by/username/" in request.path and request.status == 200 for request in api.requests) == 1


def test_the_newest_3200_posts_come_in_order(api: XApiServer) -> None:
    pages = list(source_at(api, "prolific").pages())
    posts = posts_of(pages)
    assert [post.key for post in posts] == [record["id"] for record in api.posts_of("prolific")[:3200]]
    assert pages[0].posts == () and {page.total for page in pages} == {3200}
    assert len(api.pages_sold()) == 32 and pages[-1].cursor is None
    assert sum(len(post.text) for post in posts) > 60_000
    assert posts[0].created_at == datetime(2026, 11, 1, tzinfo=UTC)
    query = api.requests[1].query
    assert "exclude" not in query and "note_tweet" in query["tweet.fields"] and query["max_results"] == "100"
    assert_nothing_bought_twice(api)


def test_no_more_than_asked_for_is_kept(api: XApiServer) -> None:
    pages = list(source_at(api, "prolific", max_posts=203, page_size=100).pages())
    assert [len(page.posts) for page in pages] == [0, 100, 100, 3]
    assert pages[0].total == 203
    assert [request.query.get("max_results") for request in api.requests[1:]] == ["100", "100", "5"]


def test_page_sizes_stay_within_what_x_accepts(api: XApiServer) -> None:
    assert len(posts_of(source_at(api, "chatty", page_size=1).pages())) == 20
    assert len(posts_of(source_at(api, "chatty", page_size=5000).pages())) == 20


def test_long_posts_are_whole(api: XApiServer) -> None:
    posts = posts_of(source_at(api, "essayist").pages())
    long = [record["note_tweet"]["text"] for record in api.posts_of("essayist") if "note_tweet" in record]
    assert [post.text for post in posts if len(post.text) > 280] == long and len(long) == 2


def test_retweets_and_replies_are_marked_and_threads_are_not(api: XApiServer) -> None:
    posts = posts_of(source_at(api, "chatty").pages())
    assert [index for index, post in enumerate(posts) if post.is_repost] == [1]
    assert [index for index, post in enumerate(posts) if post.is_reply] == [2]
    assert posts[2].text == "@someone that is true & kind"


@pytest.mark.parametrize(
    ("option", "missing"), [("include_reposts", {1}), ("include_replies", {2}), ("include_quotes", {4})]
)
def test_what_is_not_wanted_is_left_out(api: XApiServer, option: str, missing: set[int]) -> None:
    whole = posts_of(source_at(api, "chatty").pages())
    api.requests.clear()
    rest = posts_of(source_at(api, "chatty", **{option: False}).pages())
    assert rest == [post for index, post in enumerate(whole) if index not in missing]
    # Without replies, only 800 posts can be reached there. Leaving out reposts loses nothing and saves money.
    assert api.requests[1].query.get("exclude") == ("retweets" if option == "include_reposts" else None)


def test_only_what_is_newer_is_bought(api: XApiServer) -> None:
    newest = api.posts_of("prolific")[0]["id"]
    api.publish("prolific", [f"news {number}" for number in range(120)])
    pages = list(source_at(api, "prolific", newer_than=newest).pages())
    assert [post.text for post in posts_of(pages)] == [f"news {number}" for number in range(119, -1, -1)]
    assert [len(page.posts) for page in pages] == [0, 100, 20] and {page.total for page in pages} == {None}
    assert {request.query.get("since_id") for request in api.requests[1:]} == {newest}
    assert posts_of(source_at(api, "prolific", newer_than=newest).pages(pages[1].cursor)) == list(pages[2].posts)
    again = list(source_at(api, "prolific", newer_than=posts_of(pages)[0].key).pages())
    assert posts_of(again) == [] and again[-1].cursor is None


def test_a_look_up_says_what_an_import_would_cost_and_is_not_paid_for_again(api: XApiServer) -> None:
    source = source_at(api, "prolific")
    assert isinstance(source, XApiSource)
    account = source.look_up()
    assert (account.posts, account.reachable) == (4000, 3200)
    assert estimated_cost(account.reachable or 0, SourceSettings()) == Decimal("16.01")
    assert len(posts_of(source_at(api, "prolific", max_posts=300).pages(account.cursor))) == 300
    assert sum("/by/username/" in request.path for request in api.requests) == 1
    with pytest.raises(SourceError) as raised:
        XApiSource("nobody", SourceSettings(own=at(api.url))).look_up()
    assert raised.value.code == "unknown_handle"
    with pytest.raises(SourceError) as raised:
        XApiSource("prolific", SourceSettings(own=at(api.url, ""))).look_up()
    assert raised.value.code == "bad_credentials"


@pytest.mark.parametrize(
    ("handle", "code", "words"),
    [
        ("nobody", "unknown_handle", "@nobody"),
        ("suspended", "suspended_handle", "@suspended"),
        ("expelled", "suspended_handle", "@expelled"),
        ("protected", "protected_handle", "archive"),
        ("empty", "no_posts", "@empty"),
        ("nocredits", "no_credits", "credits"),
        ("capped", "no_credits", "credits"),
        ("notenrolled", "bad_credentials", "project"),
        ("down", "source_unavailable", "503"),
        ("garbled", "source_unavailable", "few minutes"),
    ],
)
def test_each_trouble_has_its_sentence(api: XApiServer, handle: str, code: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as raised:
        list(source_at(api, handle).pages())
    assert raised.value.code == code
    assert raised.value.transient is (code == "source_unavailable")
    assert raised.value.__context__ is None
    assert str(raised.value)[0].isupper() or str(raised.value)[0] == "@"


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_wrong_or_missing_token_is_told(api: XApiServer, token: str) -> None:
    with pytest.raises(SourceError) as raised:
        list(source_at(api, "prolific", token=token).pages())
    assert raised.value.code == "bad_credentials"
    assert len(api.requests) == (1 if token else 0)


def test_a_rate_limit_says_when_and_the_import_goes_on_from_there(api: XApiServer) -> None:
    keys: list[str] = []
    cursor: str | None = None
    with pytest.raises(RateLimited) as raised:
        for page in source_at(api, "limited").pages():
            keys += [post.key for post in page.posts]
            cursor = page.cursor
    wait = raised.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=880) < wait < timedelta(seconds=905) and raised.value.transient
    keys += [post.key for post in posts_of(source_at(api, "limited").pages(cursor))]
    assert keys == [record["id"] for record in api.posts_of("limited")]
    assert_nothing_bought_twice(api)


@pytest.mark.parametrize("handle", ["flaky", "cut"])
def test_short_trouble_is_waited_out(api: XApiServer, handle: str) -> None:
    posts = posts_of(source_at(api, handle).pages())
    assert [post.key for post in posts] == [record["id"] for record in api.posts_of(handle)]
    assert_nothing_bought_twice(api)


def test_from_every_cursor_the_rest_is_bought_and_no_more(api: XApiServer) -> None:
    pages = list(source_at(api, "prolific", max_posts=520).pages())
    whole = posts_of(pages)
    done = 0
    for page in pages[:-1]:
        done += len(page.posts)
        api.requests.clear()
        rest = list(source_at(api, "prolific", max_posts=520).pages(page.cursor))
        assert posts_of(rest) == whole[done:] and rest[0].total == 520
        assert len(api.requests) == len(rest)
    for nonsense in ("x", "[]", "{}", '{"user": "1", "more": 2}'):
        with pytest.raises(ValueError):
            list(source_at(api, "prolific").pages(nonsense))


def test_nobody_answering_is_unavailable() -> None:
    settings = SourceSettings(own=at("http://127.0.0.1:9"), retry_delays=(0.01,))
    with pytest.raises(SourceUnavailable):
        list(open_source("x", handle="a", settings=settings).pages())


def test_the_token_is_in_no_log_and_no_error(api: XApiServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    list(source_at(api, "chatty").pages())
    with pytest.raises(SourceError) as raised:
        list(source_at(api, "garbled").pages())
    assert "/2/users/by/username/chatty" in caplog.text
    assert TOKEN not in caplog.text + repr(raised.value)


def replayed(*answers: tuple[int, dict[str, str], Any]) -> list[Any]:
    """The pages that the source makes of recorded (status, headers, body) answers."""
    kept = [
        Answer(status, body, {name: value for name, value in headers.items() if name.startswith("x-")})
        for status, headers, body in answers
    ]
    with Replay(*kept) as server:
        settings = SourceSettings(own=at(server.url), retry_delays=())
        return list(open_source("x", handle="Twitter", settings=settings).pages())


def recorded(path: str) -> tuple[int, dict[str, str], Any]:
    response = json.loads((DATA / "api" / "twitter-v2" / path).read_text(encoding="utf-8"))["response"]
    return response["status"], response.get("headers", {}), response["body"]


END: tuple[int, dict[str, str], Any] = (200, {}, {"meta": {"result_count": 0}})


@needs_data
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("get_users_tweets", 2),
        ("get_home_timeline", 98),
        ("get_liked_tweets", 96),
        ("get_users_mentions", 10),
        ("search_recent_tweets", 10),
        ("get_quote_tweets", 9),
        ("get_tweets", 2),
    ],
)
def test_recorded_pages_are_read_whole(name: str, count: int) -> None:
    page = recorded(f"tweepy/{name}.json")
    posts = posts_of(replayed(recorded("tweepy/get_user.json"), page, END))
    assert [post.key for post in posts] == [record["id"] for record in page[2]["data"]] and len(posts) == count
    assert sum(post.is_repost for post in posts) == sum(record["text"].startswith("RT @") for record in page[2]["data"])
    assert not any("&amp;" in post.text or "&lt;" in post.text for post in posts)


@needs_data
@pytest.mark.parametrize("name", ["get_me", "get_user"])
def test_recorded_users_are_a_look_up(name: str) -> None:
    pages = replayed(recorded(f"tweepy/{name}.json"), recorded("tweepy/get_users_tweets.json"), END)
    assert len(posts_of(pages)) == 2


@needs_data
@pytest.mark.parametrize("name", ["get_users", "get_users_followers", "get_retweeters"])
def test_recorded_lists_of_users_are_neither_a_look_up_nor_posts(name: str) -> None:
    users = recorded(f"tweepy/{name}.json")
    assert len(users[2]["data"]) in (2, 38, 100)
    assert posts_of(replayed(recorded("tweepy/get_user.json"), users, END)) == []
    with pytest.raises(SourceError) as raised:
        replayed(users)
    assert raised.value.code == "unknown_handle"


@needs_data
@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        ("01-fundamentals", 400, "source_unavailable"),
        ("02-fundamentals", 200, 1),
        ("03-fundamentals", 429, "rate_limited"),
        ("04-lookup", 200, 0),
        ("05-lookup", 200, 1),
    ],
)
def test_the_answers_in_xs_documentation_mean_what_it_says(name: str, status: int, outcome: str | int) -> None:
    body = json.loads((DATA / "api" / "twitter-v2" / "docs-examples" / f"{name}.json").read_text(encoding="utf-8"))
    try:
        found: str | int = len(posts_of(replayed(recorded("tweepy/get_user.json"), (status, {}, body), END)))
    except SourceError as error:
        found = error.code
    assert found == outcome


PROBLEMS = {
    "disallowed-resource": "protected_handle",
    "field-hydration-failure": "unknown_handle",
    "field-unauthorized": "unknown_handle",
    "internal-error": "source_unavailable",
    "invalid-request": "unknown_handle",
    "not-authorized-for-field": "protected_handle",
    "not-authorized-for-resource": "protected_handle",
    "resource-not-found": "unknown_handle",
    "resource-unavailable": "protected_handle",
}


@needs_data
def test_each_kind_of_problem_that_x_describes_has_its_sentence() -> None:
    path = DATA / "api" / "twitter-v2" / "docs-examples" / "problem-schemas.json"
    schemas = json.loads(path.read_text(encoding="utf-8")).values()
    kinds = {kind for schema in schemas for kind in schema.get("properties", {}).get("type", {}).get("enum", [])}
    assert {kind.rsplit("/", 1)[-1] for kind in kinds} == set(PROBLEMS)
    for kind in kinds:
        name = kind.rsplit("/", 1)[-1]
        with pytest.raises(SourceError) as raised:
            replayed((200, {}, {"errors": [{"type": kind, "title": name, "detail": "As described."}]}))
        assert raised.value.code == PROBLEMS[name] and str(raised.value).endswith(".")


@needs_data
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("401-unauthorized", "bad_credentials"),
        ("403-client-not-enrolled", "bad_credentials"),
        ("403-user-suspended", "bad_credentials"),
        ("429-too-many-requests", "rate_limited"),
        ("429-usage-cap-exceeded", "no_credits"),
        ("200-errors-not-authorized-for-resource", "protected_handle"),
    ],
)
def test_reported_errors_mean_what_they_say(name: str, code: str) -> None:
    with pytest.raises(SourceError) as raised:
        replayed(recorded("tweepy/get_user.json"), recorded(f"reported-errors/{name}.json"))
    assert raised.value.code == code
    assert isinstance(raised.value, RateLimited) == (code == "rate_limited")
    minutes = (getattr(raised.value, "retry_at", datetime.now(UTC)) - datetime.now(UTC)) / timedelta(minutes=1)
    assert round(minutes) == (15 if code == "rate_limited" else 0)


@pytest.mark.parametrize(
    ("status", "body", "code", "transient"),
    [
        (404, {"title": "Not Found"}, "unknown_handle", False),
        (403, {"detail": "User has been suspended"}, "suspended_handle", False),
        (403, {"title": "Forbidden"}, "bad_credentials", False),
        (400, {"title": "Invalid Request"}, "source_unavailable", False),
        (302, {}, "source_unavailable", False),
        (500, ["not an object"], "source_unavailable", True),
        (200, ["not an object"], "source_unavailable", True),
        (200, {"data": "?"}, "unknown_handle", False),
    ],
)
def test_other_answers_are_told_too(status: int, body: Any, code: str, transient: bool) -> None:
    with pytest.raises(SourceError) as raised:
        replayed((status, {}, body))
    assert (raised.value.code, raised.value.transient) == (code, transient)
