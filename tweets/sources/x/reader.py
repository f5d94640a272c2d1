"""The posts of an X account through the paid API, version 2.

Each post read and each account looked up costs money, so everything bought is handed on at once with a cursor from
which the next run goes on: after a cut connection, a rate limit or a restart nothing is bought twice.
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
_WINDOW = timedelta(minutes=15)  # of X's rate limits, for an answer that does not say when it ends
# What tweepy raises on bodies that it did not expect.
_ODD_ANSWER = (ValueError, AttributeError, TypeError, KeyError, RecursionError)


class _Session(requests.Session):
    """Sends tweepy's requests to the configured address, with a time limit and with the token.

    tweepy writes the headers it was given to its debug log: it is given no token, the token is put in here.
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
        options["allow_redirects"] = False  # the token goes to the configured address and nowhere else
        return super().request(method, self._base + str(url).removeprefix(_TWEEPY_HOST), **options)


@dataclass(frozen=True, slots=True)
class XAccount:
    """An account that was looked up, which costs as much as `XSettings.user_price` says.

    `reachable` of its `posts` can be brought, None where X does not say. An import from `cursor` on does not look the
    account up (and pay for that) again.
    """

    posts: int | None
    reachable: int | None
    cursor: str


@dataclass(frozen=True, slots=True)
class _Position:
    """Where an import stands: whose posts, the page that comes next, how many posts were read, how many there are."""

    user: str
    token: str | None = None
    count: int = 0
    total: int | None = None
    newer_than: str | None = None
    empty: int = 0


class XApiSource:
    """The newest posts of a handle, at most `settings.max_posts`. Without a token each read raises BadCredentials.

    With `newer_than` only what is newer is bought. Reposts that are not wanted are not bought either; unwanted replies
    and quotes are, since X reaches a fourth of the posts when it is to leave out replies.
    """

    def __init__(self, handle: str, settings: SourceSettings) -> None:
        self._handle = handle
        self._settings = settings
        self._client: Any = tweepy.Client(
            bearer_token="kept-by-the-session", return_type=dict, wait_on_rate_limit=False
        )
        self._client.session = _Session(settings)

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yields the pages. The first is empty: its cursor keeps the account's lookup, `total` is known from there on.

        Raises the SourceError that says what X answered; RateLimited and SourceUnavailable are worth another try from
        the last cursor.
        """
        self._require_token()
        if cursor:
            position: _Position | None = position_of(_Position, cursor)
        else:
            position, _ = self._look_up()
            yield Page((), cursor_of(position), position.total)
        while position is not None:
            page, position = self._page_at(position)
            yield page

    def look_up(self) -> XAccount:
        """How many posts the account has, for an estimate of what they cost before any is bought."""
        self._require_token()
        position, posts = self._look_up()
        budget = self._settings.budget
        most = self._settings.max_posts if budget is None else min(self._settings.max_posts, budget.left())
        reachable = None if posts is None else min(posts, most)
        return XAccount(posts=posts, reachable=reachable, cursor=cursor_of(position))

    def _require_token(self) -> None:
        if not self._settings.of(XSettings).bearer_token:
            raise BadCredentials("No X API token is configured on this server. Ask its administrator to set one.")

    def _look_up(self) -> tuple[_Position, int | None]:
        answer = self._ask(lambda: self._client.get_user(username=self._handle, user_fields=_USER_FIELDS))
        user = answer.get("data")
        if not isinstance(user, dict) or not user.get("id"):
            raise self._problem(answer)
        if user.get("protected"):
            raise self._protected()
        posts = count_in(user.get("public_metrics"), "tweet_count")
        newer_than = self._settings.newer_than
        known = None if posts is None or newer_than else min(posts, self._settings.max_posts)
        return _Position(user=str(user["id"]), total=known, newer_than=newer_than), posts

    def _page_at(self, position: _Position) -> tuple[Page, _Position | None]:
        left = self._settings.max_posts - position.count
        wanted = max(SMALLEST_PAGE, min(LARGEST_PAGE, self._settings.page_size, left))
        size = take_page(self._settings.budget, wanted, datetime.now(UTC).date())
        asked: dict[str, Any] = {"max_results": size, "tweet_fields": _TWEET_FIELDS}
        if position.token:
            asked["pagination_token"] = position.token
        if position.newer_than:
            asked["since_id"] = position.newer_than
        # Never "replies": without them only 800 posts can be reached.
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
            raise NoPosts(f"@{self._handle} has not posted anything. Try another account.")
        found = [_post(record, position.user) for record in bought if _is_post(record)]
        posts = tuple(post for post in found if self._settings.wants(post))
        return Page(posts, cursor_of(following) if following else None, position.total), following

    def _ask(self, call: Callable[[], Any], *, posts: int = 0) -> dict[str, Any]:
        """The answer to one request; short trouble is waited out, anything else raised as what it means.

        `posts` have been set aside for it. Those that did not come are given back, unless nobody knows: an answer that
        broke off may have been sold.
        """
        for delay in (*self._settings.retry_delays, None):
            failure: SourceError
            sold = 0
            try:
                answer = call()
                if isinstance(answer, dict):
                    self._settle(posts, _count_of(answer))
                    return answer
                failure = self._unavailable("an answer that cannot be read")
            except tweepy.HTTPException as error:
                failure = self._meaning(error)
            except requests.RequestException:
                failure, sold = self._unavailable("no complete answer"), posts
            except _ODD_ANSWER:
                failure, sold = self._unavailable("an answer that cannot be read"), posts
            self._settle(posts, sold)
            # Raised outside of `except`, so that no request with its token hangs on the error as its context.
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
        if taken < posts:  # the request is for so many
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
            return BadCredentials("X refused the API token of this server. Ask its administrator to renew it.")
        if status == 402 or "usage-capped" in problem or "usagecapexceeded" in problem:
            return NoCredits("The X API credits of this server are used up. Ask its administrator to add some.")
        if status == 429:
            moment = retry_at(response.headers, window=_WINDOW)
            return RateLimited(pause_sentence("X", moment), moment)
        if status == 403 and ("client-" in problem or "user used for authentication" in problem):
            return BadCredentials(
                "The X app of this server may not read posts: it has to belong to a project with API access."
            )
        if status in (403, 404):
            return self._problem(body if body.get("errors") else {"errors": [body]}, forbidden=status == 403)
        if status >= 500:
            return self._unavailable(f"an error of its own ({status})")
        refusal = SourceUnavailable(f"X did not accept the request for @{self._handle} ({status}). Start a new import.")
        refusal.transient = False
        return refusal

    def _problem(self, answer: dict[str, Any], *, forbidden: bool = False) -> SourceError:
        """What an answer with `errors` instead of data means."""
        errors = answer.get("errors")
        said = json.dumps(errors).lower() if errors else ""
        if "suspended" in said:
            return SuspendedHandle(
                f"X has suspended @{self._handle}, so its posts cannot be read. Try another account."
            )
        if "not-authorized" in said or "not authorized" in said or "authorization error" in said:
            return self._protected()
        if "internal-error" in said:
            return self._unavailable("an error of its own")
        if "disallowed-resource" in said or "resource-unavailable" in said:
            return ProtectedHandle(
                f"X does not give out the posts of @{self._handle}. If it is your account, upload your X archive."
            )
        if forbidden:
            return BadCredentials("X does not let this server read those posts. Ask its administrator about the X app.")
        return UnknownHandle(f"X knows no account @{self._handle}. Check the spelling.")

    def _protected(self) -> SourceError:
        return ProtectedHandle(
            f"The posts of @{self._handle} are protected. If it is your account, upload your X archive instead."
        )

    def _unavailable(self, what: str) -> SourceError:
        return SourceUnavailable(f"X gave {what}. Nothing that was read is lost; try again in a few minutes.")


def _count_of(answer: dict[str, Any]) -> int:
    data = answer.get("data")
    return len(data) if isinstance(data, list) else 0


def _is_post(record: dict[str, Any]) -> bool:
    return id_of(record) is not None and text_of(record) is not None


def _post(record: dict[str, Any], user: str) -> Post:
    return post_of({**record, "author_id": user}, text_of(record) or "", place="")
