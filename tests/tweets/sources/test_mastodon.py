from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fakes.mastodon_server import MastodonServer, paragraph, status
from tests.fakes.server import Answer, Replay
from tests.tweets.sources.helpers import DATA, needs_data, posts_of
from tweets.sources import Source, SourceError, SourceSettings, open_source
from tweets.sources.base import RateLimited
from tweets.sources.mastodon.handles import parse as parse_mastodon_handle

ACCOUNT = {"id": "7", "acct": "someone", "statuses_count": 3}


@pytest.fixture(scope="module")
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as api:
        yield api


@pytest.fixture
def api(server: MastodonServer) -> MastodonServer:
    server.requests.clear()
    return server


def source_at(url: str, name: str, **options: Any) -> Source:
    defaults: dict[str, Any] = {"retry_delays": (0.01, 0.01), "timeout_seconds": 10, "max_posts": 20_000}
    settings = SourceSettings(private_servers=(url,), **defaults | options)
    return open_source("mastodon", handle=f"{name}@{url.removeprefix('http://')}", settings=settings)


def replayed(*bodies: Any, name: str = "someone", **options: Any) -> list[Any]:
    """Return the pages that a source makes from answers: bodies with status 200, or whole answers."""
    answers = [body if isinstance(body, Answer) else Answer(200, body) for body in bodies]
    with Replay(*answers) as api:
        return list(source_at(api.url, name, retry_delays=(), **options).pages())


def test_all_posts_come_in_order_and_each_once(api: MastodonServer) -> None:
    pages = list(source_at(api.url, "prolific").pages())
    posts = posts_of(pages)
    assert [post.key for post in posts] == [each["id"] for each in api.statuses_of("prolific")]
    assert posts[0].created_at == datetime.fromisoformat(api.statuses_of("prolific")[0]["created_at"])
    assert pages[0].posts == () and {page.total for page in pages} == {610}
    assert [len(page.posts) for page in pages[1:]] == [40] * 15 + [10, 0] and pages[-1].cursor is None
    assert {request.query["limit"] for request in api.requests[1:]} == {"40"}
    assert {request.query["exclude_reblogs"] for request in api.requests[1:]} == {"true"}
    assert api.requests[0].query == {"acct": "prolific"}


def test_no_more_than_asked_for_is_read(api: MastodonServer) -> None:
    pages = list(source_at(api.url, "prolific", max_posts=90).pages())
    assert [len(page.posts) for page in pages] == [0, 40, 40, 10]
    assert pages[0].total == 90


def test_replies_quotes_and_warnings_are_marked_and_threads_are_not(api: MastodonServer) -> None:
    posts = posts_of(source_at(api.url, "chatty").pages())
    statuses = [each for each in api.statuses_of("chatty") if each["visibility"] != "private"]
    assert [post.key for post in posts] == [each["id"] for each in statuses] and len(posts) == 19
    assert [index for index, post in enumerate(posts) if post.has_warning] == [1]
    assert [index for index, post in enumerate(posts) if post.is_reply] == [2]
    assert [index for index, post in enumerate(posts) if post.is_quote] == [7]
    assert not any(post.is_repost for post in posts)
    assert posts[2].text == "@friend that is true & kind"
    assert posts[5].text == "Moss, at last: https://example.com/a-very-long-address\nand #moss ☕\n\nMore <soon>."
    assert posts[6].text == "" and posts[7].text == "Quite so."


def test_a_boost_that_comes_all_the_same_is_marked_with_the_words_of_its_author() -> None:
    boosted = status("8", 5, paragraph("words of somebody else"))
    page = [
        status("7", 6, "", reblog=boosted),
        status("8", 4, paragraph("of somebody else")),
        status("7", 3, "<p>own</p>"),
    ]
    posts = posts_of(replayed(ACCOUNT, page, []))
    assert [post.is_repost for post in posts] == [True, True, False]
    assert posts[0].text == "words of somebody else"


def test_what_is_not_wanted_is_left_out(api: MastodonServer) -> None:
    whole = posts_of(source_at(api.url, "chatty").pages())
    for option, missing in (("include_replies", {2}), ("include_quotes", {7})):
        rest = posts_of(source_at(api.url, "chatty", **{option: False}).pages())
        assert rest == [post for index, post in enumerate(whole) if index not in missing]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nobody", "unknown_handle", "has no account @nobody"),
        ("suspended", "suspended_handle", "suspended @suspended@"),
        ("members", "protected_handle", "people who have an account there"),
        ("forbidden", "protected_handle", "people who have an account there"),
        ("locked", "protected_handle", "people who have an account there"),
        ("empty", "no_posts", "@empty"),
        ("down", "source_unavailable", "503"),
        ("website", "bad_answer", "doesn’t answer like a Mastodon server"),
        ("oddity", "bad_answer", "doesn’t answer like a Mastodon server"),
    ],
)
def test_each_trouble_has_its_sentence(api: MastodonServer, name: str, code: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as raised:
        list(source_at(api.url, name).pages())
    assert raised.value.code == code
    assert raised.value.transient is (code == "source_unavailable")


@pytest.mark.parametrize(
    ("name", "words"), [("moved", "has moved to @moved@new.example"), ("silenced", "have limited @silenced")]
)
def test_what_the_person_should_know_is_told_and_the_posts_come(api: MastodonServer, name: str, words: str) -> None:
    pages = list(source_at(api.url, name).pages())
    assert words in pages[0].note and not any(page.note for page in pages[1:])
    assert len(posts_of(pages)) == 130


def test_an_account_that_moved_within_a_server_is_named_with_the_server() -> None:
    there = {"id": "8", "acct": "newer", "url": "https://a.example/@newer"}
    assert "@newer@a.example." in replayed({**ACCOUNT, "moved": there}, [status("7", 1, "<p>a</p>")], [])[0].note
    odd: tuple[Any, ...] = (None, 5, {}, [], {"acct": 5}, {"url": "https://a.example/@newer"})
    for moved in odd:
        assert replayed({**ACCOUNT, "moved": moved}, [status("7", 1, "<p>a</p>")], [])[0].note == ""
    lost = {"acct": "newer", "url": "https://[::1"}
    assert "@newer." in replayed({**ACCOUNT, "moved": lost}, [status("7", 1, "<p>a</p>")], [])[0].note


def test_a_rate_limit_says_when_and_the_import_goes_on_from_there() -> None:
    with MastodonServer() as api:
        found: list[str] = []
        cursor: str | None = None
        with pytest.raises(RateLimited, match=r"127\.0\.0\.1:\d+ asks us to wait until") as raised:
            for page in source_at(api.url, "limited").pages():
                found += [post.key for post in page.posts]
                cursor = page.cursor
        assert timedelta(seconds=280) < raised.value.retry_at - datetime.now(UTC) < timedelta(seconds=305)
        found += [post.key for post in posts_of(source_at(api.url, "limited").pages(cursor))]
        assert found == [each["id"] for each in api.statuses_of("limited")]
        assert sum("lookup" in request.path for request in api.requests) == 1


@pytest.mark.parametrize("name", ["flaky", "cut"])
def test_short_trouble_is_waited_out(name: str) -> None:
    with MastodonServer() as api:
        posts = posts_of(source_at(api.url, name).pages())
        assert [post.key for post in posts] == [each["id"] for each in api.statuses_of(name)]


def test_from_every_cursor_the_rest_comes_and_no_more(api: MastodonServer) -> None:
    pages = list(source_at(api.url, "prolific", max_posts=200).pages())
    whole = posts_of(pages)
    done = 0
    for page in pages[:-1]:
        done += len(page.posts)
        rest = list(source_at(api.url, "prolific", max_posts=200).pages(page.cursor))
        assert posts_of(rest) == whole[done:] and rest[0].total == 200
    for nonsense in ("x", "[]", "{}", '{"account": "1", "more": 2}'):
        with pytest.raises(ValueError):
            list(source_at(api.url, "prolific").pages(nonsense))


def test_only_newer_posts_are_asked_for(api: MastodonServer) -> None:
    newest = api.statuses_of("prolific")[0]["id"]
    api.publish("prolific", [f"news {number}" for number in range(50)])
    pages = list(source_at(api.url, "prolific", newer_than=newest).pages())
    assert [post.text for post in posts_of(pages)] == [f"news {number}" for number in range(49, -1, -1)]
    assert {request.query["since_id"] for request in api.requests[1:]} == {newest}
    assert {page.total for page in pages} == {None}
    again = list(source_at(api.url, "prolific", newer_than=posts_of(pages)[0].key).pages())
    assert posts_of(again) == [] and again[-1].cursor is None


def test_a_server_that_gives_the_same_page_again_and_again_comes_to_an_end() -> None:
    page = [status("7", number, paragraph(str(number))) for number in (3, 2, 1)]
    assert len(replayed(ACCOUNT, page)) == 3


def test_what_is_no_post_is_passed_over_and_what_is_odd_is_read_as_far_as_it_can_be() -> None:
    odd: list[Any] = [None, 5, [], {}, {"id": None}, {"id": ""}, {"id": "x" * 65}, {"id": True}]
    bare = {"id": 12, "content": "<p>bare</p>"}
    strange = status("7", 1, paragraph("strange \ud83d\x00one"), emojis="?", quote=[], mentions=None)
    strange |= {"account": 5, "created_at": 5.5, "spoiler_text": None, "in_reply_to_id": [], "visibility": None}
    posts = posts_of(replayed(ACCOUNT, [*odd, bare, strange], []))
    assert [(post.key, post.text) for post in posts] == [("12", "bare"), (strange["id"], "strange one")]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(404, "<html>"), "bad_answer"),
        (Answer(410, {"error": "Gone"}), "suspended_handle"),
        (Answer(422, {"error": "Something else"}), "bad_answer"),
        (Answer(403, "<html>Checking your browser</html>"), "protected_handle"),
        (Answer(200, {"id": {}}), "bad_answer"),
        (Answer(200, None), "bad_answer"),
        (Answer(200, b"\xff\xfe"), "bad_answer"),
        (Answer(301, b"", {"Location": "https://169.254.169.254/"}), "refused_address"),
        (Answer(429, b""), "rate_limited"),
        (Answer(500, {"error": "oops"}), "source_unavailable"),
    ],
)
def test_other_answers_are_told_too(answer: Answer, code: str) -> None:
    for before in ([], [ACCOUNT]):
        with pytest.raises(SourceError) as raised:
            replayed(*before, answer)
        assert raised.value.code == code, str(raised.value)


@pytest.mark.parametrize("handle", ["a@127.0.0.1", "a@localhost", "a@10.0.0.1:443", "a@[::1]", "a@127.0.0.1:6379"])
def test_a_server_in_a_private_network_is_not_asked(handle: str) -> None:
    with pytest.raises(SourceError) as raised:
        list(open_source("mastodon", handle=handle, settings=SourceSettings(retry_delays=())).pages())
    assert raised.value.code == "refused_address"


@pytest.mark.parametrize("handle", ["", "a", "@b", "a@"])
def test_a_handle_without_a_server_is_a_mistake(handle: str) -> None:
    with pytest.raises(ValueError):
        open_source("mastodon", handle=handle, settings=SourceSettings())


def test_a_handle_of_a_server_with_a_port_is_read_over_http_only_where_the_operator_says_so(
    api: MastodonServer,
) -> None:
    handle = parse_mastodon_handle(api.handle("prolific"))
    with pytest.raises(SourceError) as raised:
        list(open_source("mastodon", handle=handle, settings=SourceSettings(retry_delays=())).pages())
    assert raised.value.code == "refused_address" and api.requests == []


# What a test server of Mastodon and mastodon.social answered, as a client library recorded it


def recorded(name: str) -> list[Any]:
    body = json.loads((DATA / "api" / "mastodon" / "mastodon-py" / f"{name}.json").read_text(encoding="utf-8"))
    return body if isinstance(body, list) else [body]


def as_answer(recording: dict[str, Any]) -> Answer:
    response = recording["response"]
    kept = {name: value for name, value in response["headers"].items() if name.startswith("x-ratelimit")}
    return Answer(response["status"], response["body"], kept)


@needs_data
def test_recorded_pages_are_read_whole() -> None:
    look_up = next(
        each for each in recorded("test_account_lookup") if each["request"]["uri"].endswith("mastodonpy_test")
    )
    newest, older, _ = recorded("account_statuses__test_fetch_next_previous")
    pages = replayed(as_answer(look_up), as_answer(newest), as_answer(older), [], name="mastodonpy_test")
    posts = posts_of(pages)
    said = [each for page in (newest, older) for each in page["response"]["body"]]
    assert [post.key for post in posts] == [each["id"] for each in said]
    assert posts[0].text == "Toot number 9!" and posts[0].created_at is not None
    assert not any("<" in post.text for post in posts)


@needs_data
def test_recorded_refusals_are_sentences() -> None:
    unknown = next(each for each in recorded("test_account_lookup") if each["response"]["status"] == 404)
    token = next(each for each in recorded("test_unauthed_home_tl_throws") if each["response"]["status"] == 401)
    for recording, code in ((unknown, "unknown_handle"), (token, "protected_handle")):
        with pytest.raises(SourceError) as raised:
            replayed(as_answer(recording))
        assert raised.value.code == code


@needs_data
def test_every_recorded_status_is_read() -> None:
    found: list[dict[str, Any]] = []
    for path in sorted((DATA / "api" / "mastodon" / "mastodon-py").glob("*.json")):
        for recording in recorded(path.stem):
            body = recording["response"]["body"]
            found += [
                each
                for each in (body if isinstance(body, list) else [body])
                if isinstance(each, dict) and "content" in each
            ]
    assert len(found) > 40
    is_shown = [each["visibility"] in ("public", "unlisted") for each in found]
    assert set(is_shown) == {True, False}
    for each, shown in zip(found, is_shown, strict=True):
        posts = posts_of(replayed({**ACCOUNT, "id": each["account"]["id"]}, [each], []))
        assert not any("<" in post.text or "&amp;" in post.text for post in posts)
        assert [post.has_warning for post in posts] == [bool(each["spoiler_text"])] * shown


def kind_of(recording: dict[str, Any]) -> str:
    """Return what the answer means to a reader of an account's posts, judged only by its shape."""
    status, body = recording["response"]["status"], recording["response"]["body"]
    if status != 200:
        return {401: "protected_handle", 404: "unknown_handle", 422: "bad_answer"}[status]
    if isinstance(body, list):
        return "page"
    return "look-up" if "id" in body else "bad_answer"


@needs_data
def test_every_recorded_answer_is_read_or_told_in_either_place() -> None:
    counted: Counter[str] = Counter()
    keys: list[tuple[list[str], list[str]]] = []
    for path in sorted((DATA / "api" / "mastodon" / "mastodon-py").glob("*.json")):
        for recording in recorded(path.stem):
            kind = kind_of(recording)
            counted[kind] += 1
            try:
                pages = replayed(as_answer(recording), [status("7", 1, "<p>a post</p>")], [])
                as_look_up = "look-up" if len(posts_of(pages)) == 1 else f"{len(posts_of(pages))} posts"
            except SourceError as error:
                as_look_up = error.code
            # A list isn't an account. A status also has an id, so its posts are requested.
            assert as_look_up == ("bad_answer" if kind == "page" else kind), path.name
            if kind == "page":
                said = [each for each in recording["response"]["body"] if "content" in each or "acct" in each]
                posts = posts_of(replayed({**ACCOUNT, "id": "7"}, as_answer(recording), [], newer_than="1"))
                keys.append(([post.key for post in posts], [each["id"] for each in said]))
    assert [read for read, _ in keys] == [said for _, said in keys]
    assert counted["page"] > 15 and counted["look-up"] > 30 and counted["unknown_handle"] == 1
