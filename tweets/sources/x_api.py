"""The posts of an X account through the paid API, version 2.

Each post read and each account looked up costs money, so everything bought is handed on at once with a cursor from
which the next run goes on: after a cut connection, a rate limit or a restart nothing is bought twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import tweepy

from tweets.sources.base import (
    BadCredentials,
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
from tweets.sources.records import post_of, text_of

_TWEEPY_HOST = "https://api.twitter.com"
_TWEET_FIELDS = ["created_at", "note_tweet", "referenced_tweets", "in_reply_to_user_id", "lang"]
_USER_FIELDS = ["protected", "public_metrics"]
_SMALLEST_PAGE, _LARGEST_PAGE = 5, 100  # what the API accepts
_WINDOW = timedelta(minutes=15)  # of X's rate limits, for an answer that does not say when it ends
_LONGEST_WAIT = timedelta(hours=24)
_ODD_ANSWER = (ValueError, AttributeError, TypeError, KeyError)  # what tweepy raises on bodies it did not expect


class _Session(requests.Session):
    """Sends tweepy's requests to the configured address, with a time limit and with the token.

    tweepy writes the headers it was given to its debug log: it is given no token, the token is put in here.
    """

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__()
        self._base = settings.x_api_url.rstrip("/")
        self._timeout = settings.timeout_seconds
        self._authorization = f"Bearer {settings.x_bearer_token}"

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        options["headers"] = {**(options.get("headers") or {}), "Authorization": self._authorization}
        options["timeout"] = self._timeout
        options["allow_redirects"] = False  # the token goes to the configured address and nowhere else
        return super().request(method, self._base + str(url).removeprefix(_TWEEPY_HOST), **options)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where an import stands: whose posts, the page that comes next, how many posts were read, how many there are."""

    user: str
    token: str | None = None
    count: int = 0
    total: int | None = None

    def cursor(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, cursor: str) -> _Position:
        try:
            position = cls(**json.loads(cursor))
        except (TypeError, ValueError):
            raise ValueError("The cursor is not one of an X account.") from None
        return position


class XApiSource:
    """The newest posts of a handle, at most `settings.max_posts`. Without a token each read raises BadCredentials."""

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
        if not self._settings.x_bearer_token:
            raise BadCredentials("No X API token is configured on this server. Ask its administrator to set one.")
        if cursor:
            position: _Position | None = _Position.of(cursor)
        else:
            position = self._look_up()
            yield Page((), position.cursor(), position.total)
        while position is not None:
            page, position = self._page_at(position)
            yield page

    def _look_up(self) -> _Position:
        answer = self._ask(lambda: self._client.get_user(username=self._handle, user_fields=_USER_FIELDS))
        user = answer.get("data")
        if not isinstance(user, dict) or not user.get("id"):
            raise self._problem(answer)
        if user.get("protected"):
            raise self._protected()
        metrics = user.get("public_metrics")
        total = metrics.get("tweet_count") if isinstance(metrics, dict) else None
        known = min(total, self._settings.max_posts) if isinstance(total, int) else None
        return _Position(user=str(user["id"]), total=known)

    def _page_at(self, position: _Position) -> tuple[Page, _Position | None]:
        left = self._settings.max_posts - position.count
        size = max(_SMALLEST_PAGE, min(_LARGEST_PAGE, self._settings.page_size, left))
        # Neither replies nor retweets are excluded: without replies only 800 posts can be reached; cleaning drops both.
        answer = self._ask(
            lambda: self._client.get_users_tweets(
                position.user, max_results=size, pagination_token=position.token, tweet_fields=_TWEET_FIELDS
            )
        )
        records = answer.get("data")
        if records is None and answer.get("errors"):
            raise self._problem(answer)
        posts = tuple(_post(record, position.user) for record in records or () if isinstance(record, dict))[:left]
        meta = answer.get("meta")
        token = meta.get("next_token") if isinstance(meta, dict) else None
        count = position.count + len(posts)
        following = replace(position, token=token, count=count) if token and count < self._settings.max_posts else None
        if following is None and count == 0:
            raise NoPosts(f"@{self._handle} has not posted anything. Try another account.")
        return Page(posts, following.cursor() if following else None, position.total), following

    def _ask(self, call: Callable[[], Any]) -> dict[str, Any]:
        """The answer to one request; short trouble is waited out, anything else raised as what it means."""
        for delay in (*self._settings.retry_delays, None):
            failure: SourceError
            try:
                answer = call()
                if isinstance(answer, dict):
                    return answer
                failure = self._unavailable("an answer that cannot be read")
            except tweepy.HTTPException as error:
                failure = self._meaning(error)
            except requests.RequestException:
                failure = self._unavailable("no complete answer")
            except _ODD_ANSWER:
                failure = self._unavailable("an answer that cannot be read")
            # Raised outside of `except`, so that no request with its token hangs on the error as its context.
            if delay is None or not isinstance(failure, SourceUnavailable) or not failure.transient:
                raise failure
            time.sleep(delay)
        raise AssertionError("unreachable: the last attempt raises or returns")

    def _meaning(self, error: Any) -> SourceError:
        response = error.response
        status = int(response.status_code)
        try:
            body = response.json()
        except ValueError:
            body = {}
        problem = " ".join(str(body.get(name, "")) for name in ("type", "title", "detail", "reason")).lower()
        if status == 401:
            return BadCredentials("X refused the API token of this server. Ask its administrator to renew it.")
        if status == 402 or "usage-capped" in problem or "usagecapexceeded" in problem:
            return NoCredits("The X API credits of this server are used up. Ask its administrator to add some.")
        if status == 429:
            moment = _retry_at(response.headers.get("x-rate-limit-reset"))
            return RateLimited(f"X asks us to wait until {moment:%H:%M} UTC; the import goes on by itself.", moment)
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
        if forbidden:
            return BadCredentials("X does not let this server read those posts. Ask its administrator about the X app.")
        return UnknownHandle(f"X knows no account @{self._handle}. Check the spelling.")

    def _protected(self) -> SourceError:
        return ProtectedHandle(
            f"The posts of @{self._handle} are protected. If it is your account, upload your X archive instead."
        )

    def _unavailable(self, what: str) -> SourceError:
        return SourceUnavailable(f"X gave {what}. Nothing that was read is lost; try again in a few minutes.")


def _post(record: dict[str, Any], user: str) -> Post:
    key = str(record.get("id", ""))
    return post_of({**record, "author_id": user}, text_of(record) or "", key)


def _retry_at(header: str | None) -> datetime:
    now = datetime.now(UTC)
    try:
        moment = datetime.fromtimestamp(int(header or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return now + _WINDOW
    return min(max(moment, now), now + _LONGEST_WAIT)
