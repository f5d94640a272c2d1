"""The posts of an X account through the paid API, version 2.

Each post and each lookup of an account costs money. Everything bought is passed on at once, with a cursor from which
the next run continues, so nothing is bought twice after a lost connection, a rate limit or a restart.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import tweepy

from botfactory.words.translatable import mark
from tweets.sources.base import (
    BadCredentials,
    BudgetSpent,
    NoCredits,
    NoPosts,
    Page,
    Post,
    ProtectedHandle,
    RateLimited,
    SourceError,
    SourceSettings,
    SourceUnavailable,
    SuspendedHandle,
    UnknownHandle,
    storable,
)
from tweets.sources.reading.paging import MAX_EMPTY_PAGES, cursor_of, position_of
from tweets.sources.reading.records import id_of, post_of, text_of
from tweets.sources.web.json_api import count_in, pause_sentence, retry_at
from tweets.sources.x.budget import take_page
from tweets.sources.x.costs import LARGEST_PAGE, SMALLEST_PAGE
from tweets.sources.x.settings import XSettings

_TWEEPY_HOST = "https://api.twitter.com"
_TWEET_FIELDS = ["created_at", "note_tweet", "referenced_tweets", "in_reply_to_user_id", "lang"]
_USER_FIELDS = ["protected", "public_metrics"]
_WINDOW = timedelta(minutes=15)  # of X's rate limits, if an answer doesn't say when it ends
# What tweepy raises on unexpected bodies.
_ODD = mark("X sent an answer that we can’t read. Everything read so far is kept. Try again in a few minutes.")
_INCOMPLETE = mark("X sent no complete answer. Everything read so far is kept. Try again in a few minutes.")
_OWN = mark("X is having problems (%(status)s). Everything read so far is kept. Try again in a few minutes.")
_ODD_ANSWER = (ValueError, AttributeError, TypeError, KeyError, RecursionError)


class _Session(requests.Session):
    """Send tweepy's requests to the configured address, with a time limit and with the token.

    tweepy writes its headers to its debug log, so it doesn't know the token. The token is added here.
    """

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__()
        own = settings.of(XSettings)
        self._base = own.api_url.rstrip("/")
        self._timeout = settings.timeout_seconds
        self._authorization = f"Bearer {own.bearer_token}"

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        options["headers"] = {**(options.get("headers") or {}), "Authorization": self._authorization}
        options["timeout"] = self._timeout
        options["allow_redirects"] = False  # the token goes only to the configured address
        return super().request(method, self._base + str(url).removeprefix(_TWEEPY_HOST), **options)


@dataclass(frozen=True, slots=True)
class XAccount:
    """An account that was looked up, for `XSettings.user_price`.

    `reachable` of its `posts` can be imported, None if X doesn't say. An import from `cursor` doesn't look the account
    up (and pay for that) again.
    """

    posts: int | None
    reachable: int | None
    cursor: str


@dataclass(frozen=True, slots=True)
class _Position:
    """The state of an import: the account, the next page, how many posts were read, how many there are."""

    user: str
    token: str | None = None
    count: int = 0
    total: int | None = None
    newer_than: str | None = None
    empty: int = 0


class XApiSource:
    """The newest posts of a handle, at most `settings.max_posts`. Without a token, reading raises BadCredentials.

    With `newer_than`, only newer posts are bought. Unwanted reposts aren't bought. Unwanted replies and quotes are,
    because X returns only a fourth of the posts if asked to leave out replies.
    """

    def __init__(self, handle: str, settings: SourceSettings) -> None:
        self._handle = handle
        self._settings = settings
        self._client: Any = tweepy.Client(
            bearer_token="kept-by-the-session", return_type=dict, wait_on_rate_limit=False
        )
        self._client.session = _Session(settings)

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yield the pages. The first is empty: its cursor stores the lookup of the account, and has the `total`.

        Raises the SourceError that fits X's answer. RateLimited and SourceUnavailable are worth another try from the
        last cursor.
        """
        self._require_token()
        if cursor:
            position: _Position | None = position_of(_Position, cursor)
        else:
            position, _ = self._look_up()
            yield Page((), cursor_of(position), position.total, account=position.user)
        while position is not None:
            page, position = self._page_at(position)
            yield page

    def look_up(self) -> XAccount:
        """Return how many posts the account has, to estimate what they cost before any is bought."""
        self._require_token()
        position, posts = self._look_up()
        budget = self._settings.budget
        most = self._settings.max_posts if budget is None else min(self._settings.max_posts, budget.left())
        reachable = None if posts is None else min(posts, most)
        return XAccount(posts=posts, reachable=reachable, cursor=cursor_of(position))

    def _require_token(self) -> None:
        if not self._settings.of(XSettings).bearer_token:
            raise BadCredentials(mark("This server has no X API token. Ask its administrator to set one."))

    def _look_up(self) -> tuple[_Position, int | None]:
        answer = self._ask(lambda: self._client.get_user(username=self._handle, user_fields=_USER_FIELDS))
        user = answer.get("data")
        if not isinstance(user, dict) or not user.get("id"):
            raise self._problem(answer)
        number = storable(str(user["id"]))
        self._settings.require_account(number, shown=f"@{self._handle}")
        if user.get("protected"):
            raise self._protected()
        posts = count_in(user.get("public_metrics"), "tweet_count")
        newer_than = self._settings.newer_than
        known = None if posts is None or newer_than else min(posts, self._settings.max_posts)
        return _Position(user=number, total=known, newer_than=newer_than), posts

    def _page_at(self, position: _Position) -> tuple[Page, _Position | None]:
        left = self._settings.max_posts - position.count
        wanted = max(SMALLEST_PAGE, min(LARGEST_PAGE, self._settings.page_size, left))
        size = take_page(self._settings.budget, wanted, datetime.now(UTC).date())
        asked: dict[str, Any] = {"max_results": size, "tweet_fields": _TWEET_FIELDS}
        if position.token:
            asked["pagination_token"] = position.token
        if position.newer_than:
            asked["since_id"] = position.newer_than
        # Never "replies": then only 800 posts can be reached.
        if not self._settings.include_reposts:
            asked["exclude"] = "retweets"
        answer = self._ask(lambda: self._client.get_users_tweets(position.user, **asked), posts=size)
        records = answer.get("data")
        if records is None and answer.get("errors"):
            raise self._problem(answer)
        records = records if isinstance(records, list) else []
        bought = [record for record in records if isinstance(record, dict)][:left]
        meta = answer.get("meta")
        token = meta.get("next_token") if isinstance(meta, dict) else None
        count = position.count + len(bought)
        empty = 0 if bought else position.empty + 1
        is_last = (
            not isinstance(token, str)
            or token in ("", position.token)
            or count >= self._settings.max_posts
            or empty >= MAX_EMPTY_PAGES
        )
        following = None if is_last else replace(position, token=token, count=count, empty=empty)
        if following is None and count == 0 and position.newer_than is None:
            raise NoPosts(mark("@%(account)s hasn’t posted anything. Try another account."), account=self._handle)
        found = [_post(record, position.user) for record in bought if _is_post(record)]
        posts = tuple(post for post in found if self._settings.wants(post))
        cursor = cursor_of(following) if following else None
        return Page(posts, cursor, position.total, account=position.user), following

    def _ask(self, call: Callable[[], Any], *, posts: int = 0) -> dict[str, Any]:
        """Return the answer to one request. Short failures are retried, others raised as what they mean.

        `posts` are reserved for the request. Those that don't arrive are given back, unless nobody knows: X may have
        charged for an answer that broke off.
        """
        for delay in (*self._settings.retry_delays, None):
            failure: SourceError
            sold = 0
            try:
                answer = call()
                if isinstance(answer, dict):
                    self._settle(posts, _count_of(answer))
                    return answer
                failure = self._unavailable(_ODD)
            except tweepy.HTTPException as error:
                failure = self._meaning(error)
            except requests.RequestException:
                failure, sold = self._unavailable(_INCOMPLETE), posts
            except _ODD_ANSWER:
                failure, sold = self._unavailable(_ODD), posts
            self._settle(posts, sold)
            # Outside of `except`, so that the error has no context: a request contains the token.
            if delay is None or not isinstance(failure, SourceUnavailable) or not failure.transient:
                raise failure
            self._set_aside_again(posts)
            time.sleep(delay)
        raise AssertionError("unreachable: the last attempt raises or returns")

    def _settle(self, posts: int, sold: int) -> None:
        if self._settings.budget is not None and posts > sold:
            self._settings.budget.give_back(posts - sold)

    def _set_aside_again(self, posts: int) -> None:
        budget = self._settings.budget
        if budget is None or not posts:
            return
        taken = budget.take(posts)
        if taken < posts:  # the request needs all of them
            budget.give_back(taken)
            raise BudgetSpent(budget.spent(datetime.now(UTC).date()))

    def _meaning(self, error: Any) -> SourceError:
        response = error.response
        status = int(response.status_code)
        try:
            body = response.json()
        except (ValueError, RecursionError):
            body = None
        body = body if isinstance(body, dict) else {}
        problem = " ".join(str(body.get(name, "")) for name in ("type", "title", "detail", "reason")).lower()
        if status == 401:
            return BadCredentials(mark("X refused this server’s API token. Ask its administrator to renew it."))
        if status == 402 or "usage-capped" in problem or "usagecapexceeded" in problem:
            return NoCredits(mark("This server’s X API credits are used up. Ask its administrator to add some."))
        if status == 429:
            moment = retry_at(response.headers, window=_WINDOW)
            return RateLimited(pause_sentence("X", moment), moment)
        if status == 403 and ("client-" in problem or "user used for authentication" in problem):
            return BadCredentials(
                mark("This server’s X app can’t read posts. It must belong to a project with API access.")
            )
        if status in (403, 404):
            return self._problem(body if body.get("errors") else {"errors": [body]}, forbidden=status == 403)
        if status >= 500:
            return self._unavailable(_OWN, status=str(status))
        refusal = SourceUnavailable(
            mark("X didn’t accept the request for @%(account)s (%(status)s). Start a new import."),
            account=self._handle,
            status=str(status),
        )
        refusal.transient = False
        return refusal

    def _problem(self, answer: dict[str, Any], *, forbidden: bool = False) -> SourceError:
        """Return the error that an answer with `errors` instead of data means."""
        errors = answer.get("errors")
        said = json.dumps(errors).lower() if errors else ""
        if "suspended" in said:
            return SuspendedHandle(
                mark("X has suspended @%(account)s, so its posts can’t be read. Try another account."),
                account=self._handle,
            )
        if "not-authorized" in said or "not authorized" in said or "authorization error" in said:
            return self._protected()
        if "internal-error" in said:
            return self._unavailable(_OWN, status="500")
        if "disallowed-resource" in said or "resource-unavailable" in said:
            return ProtectedHandle(
                mark("X doesn’t provide the posts of @%(account)s. If it’s your account, upload your X archive."),
                account=self._handle,
            )
        if forbidden:
            return BadCredentials(
                mark("X doesn’t let this server read those posts. Ask its administrator about the X app.")
            )
        return UnknownHandle(mark("X has no account @%(account)s. Check the spelling."), account=self._handle)

    def _protected(self) -> SourceError:
        return ProtectedHandle(
            mark("The posts of @%(account)s are protected. If it’s your account, upload your X archive instead."),
            account=self._handle,
        )

    def _unavailable(self, template: str, **values: str) -> SourceError:
        return SourceUnavailable(template, **values)


def _count_of(answer: dict[str, Any]) -> int:
    data = answer.get("data")
    return len(data) if isinstance(data, list) else 0


def _is_post(record: dict[str, Any]) -> bool:
    return id_of(record) is not None and text_of(record) is not None


def _post(record: dict[str, Any], user: str) -> Post:
    return post_of({**record, "author_id": user}, text_of(record) or "", place="")
