"""The tweet server of the tutorial: real requests, with real HTTP, to networks on this machine."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache

from botfactory.accounts import tokens
from botfactory.accounts.models import PersonalLimits, User
from tests.at_once import at_once
from tests.fakes.bluesky_server import BlueskyServer
from tests.fakes.mastodon_server import MastodonServer
from tests.fakes.server import Answer, Replay
from tests.fakes.x_api_server import XApiServer
from tests.tweets.corpora.test_whose import ARCHIVE, POSTS
from tests.tweets.helpers import run
from tests.tweets.tutorial import TutorialClient, require_error
from tweets.api import tweet_server
from tweets.corpora import opt_out, posts, services
from tweets.corpora.budget import XMonth
from tweets.sources import base

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("nothing_bought_before"),
    pytest.mark.differs,
]


@pytest.fixture
def client(alice: User, live_server: Any) -> TutorialClient:
    return TutorialClient(live_server.url, tokens.create_token(owner=alice, name="tutorial").text)


def bought() -> int:
    return sum(XMonth.objects.values_list("posts", flat=True))


def texts_of(feed: list[dict[str, Any]]) -> list[str]:
    return [item["post"]["record"]["text"] for item in feed]


def test_the_tutorials_client_gets_the_newest_posts_of_bluesky(client: TutorialClient, bluesky: BlueskyServer) -> None:
    assert client.tweets("prolific.bsky.social") == texts_of(bluesky.feed_of("prolific.bsky.social"))[:200]


def test_an_address_of_a_profile_works_as_browsers_encode_it(client: TutorialClient, bluesky: BlueskyServer) -> None:
    expected = texts_of(bluesky.feed_of("prolific.bsky.social"))[:200]
    for address in (
        "https://bsky.app/profile/prolific.bsky.social",
        "https://bsky.app/profile/prolific.bsky.social?a=b",
    ):
        assert client.tweets(quote(address, safe="")) == expected
    assert client.tweets(quote("@prolific.bsky.social", safe="")) == expected


def test_reposts_are_not_the_accounts_own_words(client: TutorialClient, bluesky: BlueskyServer) -> None:
    found = client.tweets("chatty.bsky.social")
    assert len(found) == 18 and "words of somebody else" not in found and "that is true & kind" in found


def test_it_gets_those_of_mastodon(client: TutorialClient, mastodon: MastodonServer) -> None:
    found = client.tweets(mastodon.handle("prolific"))
    assert len(found) == len(set(found)) == 200 and "<p>" not in "".join(found)
    mastodon.publish("prolific", ["the very newest"])
    cache.clear()
    assert client.tweets(quote(f"{mastodon.url}/@prolific", safe=""))[:2] == ["the very newest", found[0]]


@pytest.mark.parametrize("handle", ["@prolific", "prolific", "https%3A%2F%2Fx.com%2Fprolific"])
def test_it_gets_those_of_x_paid_for_from_the_budget(client: TutorialClient, x_api: XApiServer, handle: str) -> None:
    found = client.tweets(handle)
    texts = [post["text"] for post in x_api.posts_of("prolific")]
    assert [text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for text in found] == texts[:200]
    assert bought() == 200 and len(x_api.pages_sold()) == 2


def test_what_was_bought_is_not_bought_again_at_once(client: TutorialClient, x_api: XApiServer) -> None:
    assert client.tweets("chatty") == client.tweets("@CHATTY")
    assert len(x_api.pages_sold()) == 1


def test_the_budget_is_never_exceeded_and_what_it_paid_for_is_given(
    client: TutorialClient, x_api: XApiServer, settings: Any
) -> None:
    settings.X_MONTHLY_POSTS = 130
    assert len(client.tweets("prolific")) == 130
    require_error(client.get("essayist"), 503, "Its administrator can raise X_MONTHLY_POSTS")
    assert bought() == 130


def test_without_a_token_of_x_it_says_who_can_change_that(client: TutorialClient) -> None:
    require_error(client.get("@prolific"), 503, "X_BEARER_TOKEN")


def test_a_corpus_of_ones_own_is_read_and_nothing_bought(
    client: TutorialClient, x_api: XApiServer, alice: User
) -> None:
    corpus = run(services.import_handle(owner=alice, handle="chatty", keep_replies=True))[1]
    before, asked = bought(), len(x_api.requests)
    x_api.publish("chatty", ["the very newest post of them all"])
    run(services.bring_newer(corpus))
    bought_then, asked_then = bought(), len(x_api.requests)
    assert (bought_then, asked_then > asked) == (before + 1, True)
    found = client.tweets("@Chatty")
    corpus.refresh_from_db()
    assert found[0] == "the very newest post of them all" and len(found) == corpus.posts_kept
    assert (bought(), len(x_api.requests)) == (bought_then, asked_then)
    posts.take_out(corpus, posts.find(corpus, words="the very newest"))
    assert client.tweets("@Chatty") == found[1:]


def test_an_imported_archive_of_the_account_is_read_and_nothing_bought(client: TutorialClient, alice: User) -> None:
    # This server has no token of X, so it could buy nothing.
    corpus = run(services.import_file(owner=alice, file=io.BytesIO(ARCHIVE), file_name="twitter.zip"))[1]
    found = client.tweets("@Someone")
    assert len(found) == corpus.posts_kept and set(found) <= set(POSTS)


def test_a_text_that_is_said_to_be_the_accounts_is_not_read(client: TutorialClient, alice: User) -> None:
    text = "\n".join(POSTS)
    corpus = run(services.import_text(owner=alice, text=text, account="@someone", basis="public"))[1]
    assert (corpus.network, corpus.handle) == ("x", "someone")
    require_error(client.get("@someone"), 503, "X_BEARER_TOKEN")


def test_somebody_elses_corpus_is_not_read(client: TutorialClient, x_api: XApiServer, bob: User) -> None:
    corpus = run(services.import_handle(owner=bob, handle="chatty"))[1]
    corpus.posts.update(text="of bob")
    assert "of bob" not in client.tweets("chatty")


def test_an_import_that_has_not_ended_is_not_read(client: TutorialClient, bluesky: BlueskyServer, alice: User) -> None:
    services.import_handle(owner=alice, handle="prolific.bsky.social")
    assert len(client.tweets("prolific.bsky.social")) == 200


def test_who_opted_out_is_refused_live_and_held(
    client: TutorialClient, bluesky: BlueskyServer, alice: User, admin: User
) -> None:
    run(services.import_handle(owner=alice, handle="prolific.bsky.social"))
    asked = len(bluesky.requests)
    opt_out.add(network="bluesky", handle="prolific.bsky.social", by=admin)
    require_error(client.get("@Prolific.bsky.social"), 403, "has asked not to be made into a bot")
    assert len(bluesky.requests) == asked


def test_who_opted_out_is_refused_although_it_was_bought_before(
    client: TutorialClient, x_api: XApiServer, admin: User
) -> None:
    client.tweets("chatty")
    opt_out.add(network="x", handle="chatty", by=admin)
    require_error(client.get("chatty"), 403, "has asked not to be made into a bot")


def test_an_account_without_posts_has_none_which_is_no_error(client: TutorialClient, bluesky: BlueskyServer) -> None:
    assert client.tweets("empty.bsky.social") == []


@pytest.mark.parametrize(
    ("handle", "status", "words"),
    [
        ("two%20words", 400, "An X handle has"),
        ("https%3A%2F%2Fexample.com%2F", 400, "the address of a profile"),
        ("nobody.bsky.social", 404, "has no account"),
        ("takendown.bsky.social", 403, "taken down"),
        ("hidden.bsky.social", 403, "aren’t signed in"),
        ("garbled.bsky.social", 502, "can’t read"),
        ("down.bsky.social", 503, "is having problems"),
        ("@a@10.0.0.1", 403, "private network"),
    ],
)
def test_each_refusal_is_a_status_and_a_sentence(
    client: TutorialClient, bluesky: BlueskyServer, handle: str, status: int, words: str
) -> None:
    require_error(client.get(handle), status, words)


@pytest.mark.parametrize(
    ("handle", "status", "words"),
    [
        ("nobody", 404, "has no account"),
        ("suspended", 403, "suspended"),
        ("protected", 403, "protected"),
        ("nocredits", 503, "credits"),
        ("notenrolled", 503, "project"),
        ("capped", 503, "credits"),
    ],
)
def test_each_refusal_of_x_too(client: TutorialClient, x_api: XApiServer, handle: str, status: int, words: str) -> None:
    require_error(client.get(handle), status, words)
    assert bought() == 0


def test_a_rate_limit_says_when_to_come_back_and_until_then_the_server_is_left_alone(
    client: TutorialClient, settings: Any
) -> None:
    reset = int((datetime.now(UTC) + timedelta(seconds=90)).timestamp())
    with Replay(Answer(429, {"error": "RateLimitExceeded"}, {"RateLimit-Reset": str(reset)})) as server:
        settings.BLUESKY_API_URL = server.url
        first, asked = client.get("prolific.bsky.social"), len(server.requests)
        others = [client.get("prolific.bsky.social"), client.get("chatty.bsky.social")]
        assert len(server.requests) == asked > 0
    for answer in (first, *others):
        require_error(answer, 429, "Bluesky asks for a pause")
        assert 60 <= int(answer.headers["Retry-After"]) <= 90


def test_requests_count_towards_the_pace(client: TutorialClient, bluesky: BlueskyServer, alice: User) -> None:
    PersonalLimits.objects.create(user=alice, requests_a_minute=0)
    answer = client.get("prolific.bsky.social")
    require_error(answer, 429, "at most 0 requests per minute")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60 and not bluesky.requests


@pytest.mark.parametrize("has_broker", [True, False])
def test_whoever_asks_within_a_minute_shares_one_read(
    client: TutorialClient, bluesky: BlueskyServer, bob: User, settings: Any, has_broker: bool
) -> None:
    if not has_broker:
        nowhere = {"LOCATION": "redis://127.0.0.1:1/0"}
        settings.CACHES = {name: {**entry, **nowhere} for name, entry in settings.CACHES.items()}
    other = TutorialClient(client.url, tokens.create_token(owner=bob, name="tutorial").text)
    found = client.tweets("prolific.bsky.social")
    asked = len(bluesky.requests)
    assert other.tweets("@Prolific.bsky.social") == client.tweets("prolific.bsky.social") == found
    assert len(bluesky.requests) == asked
    for _ in range(2):
        require_error(other.get("nobody.bsky.social"), 404, "has no account")
    assert len(bluesky.requests) == asked + 1


def test_of_several_who_ask_at_once_one_reads(client: TutorialClient, bluesky: BlueskyServer) -> None:
    found = at_once(4, lambda: client.tweets("prolific.bsky.social"))
    assert found == [found[0]] * 4
    asked = len(bluesky.requests)
    cache.clear()
    assert client.tweets("prolific.bsky.social") == found[0] and len(bluesky.requests) == 2 * asked


def test_every_error_of_a_source_has_a_status() -> None:
    def codes(kind: type[base.SourceError]) -> set[str]:
        return {kind.code}.union(*(codes(below) for below in kind.__subclasses__()))

    # Of files and of newer posts, or handled.
    others = {"source_error", "no_posts", "bad_file", "which_column", "file_too_large", "other_account"}
    assert codes(base.SourceError) - others <= set(tweet_server.STATUS)
