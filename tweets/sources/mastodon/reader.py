"""The public posts of an account on a Mastodon server, or on one of another kind with the same API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from botfactory.net import origin_of
from tweets.sources.base import (
    BadAnswer,
    NoPosts,
    Page,
    Post,
    ProtectedHandle,
    SourceError,
    SourceSettings,
    SuspendedHandle,
    UnknownHandle,
    storable,
)
from tweets.sources.reading.html_text import text_of_html
from tweets.sources.reading.paging import cursor_of, position_of
from tweets.sources.reading.records import parse_date
from tweets.sources.web.client import Client
from tweets.sources.web.json_api import JsonApi, Reply, count_in, text_in

_LARGEST_PAGE = 40
_PUBLIC = frozenset({"public", "unlisted", ""})  # "" where a server does not say


@dataclass(frozen=True, slots=True)
class _Position:
    """Where an import stands: whose posts, the oldest post so far, how many were read, how many there are."""

    account: str
    max_id: str | None = None
    count: int = 0
    total: int | None = None
    newer_than: str | None = None


class MastodonSource:
    """The newest own posts of a handle "name@server", at most `settings.max_posts`. Boosts are not asked for."""

    def __init__(self, handle: str, settings: SourceSettings, *, client: Client | None = None) -> None:
        self._handle = handle
        self._name, _, self._server = handle.partition("@")
        if not self._name or not self._server:
            raise ValueError("A Mastodon handle is given as name@server.")
        self._settings = settings
        base = _base_of(self._server, settings)
        self._api = JsonApi(self._server, base, settings, client or Client(settings))

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yields the pages. The first is empty: its cursor keeps the account's look-up, `total` is known from there on.

        Raises the SourceError that says what the server answered; RateLimited and SourceUnavailable are worth another
        try from the last cursor.
        """
        if cursor:
            position: _Position | None = position_of(_Position, cursor)
        else:
            position, note = self._look_up()
            yield Page((), cursor_of(position), position.total, note=note)
        while position is not None:
            page, position = self._page_at(position)
            yield page

    def _look_up(self) -> tuple[_Position, str]:
        reply = self._api.ask("/api/v1/accounts/lookup", acct=self._name)
        account = _id_of(reply.data)
        if reply.status != 200 or account is None:
            raise self._refusal(reply)
        if reply.data.get("suspended") is True:
            raise self._suspended()
        newer_than = self._settings.newer_than
        known = count_in(reply.data, "statuses_count") if newer_than is None else None
        total = None if known is None else min(known, self._settings.max_posts)
        return _Position(account=account, total=total, newer_than=newer_than), self._note(reply.data)

    def _note(self, account: Mapping[str, Any]) -> str:
        """What the person should know about an account that can be read nevertheless."""
        there = _handle_of(account.get("moved"))
        if there:
            return f"@{self._handle} has moved to @{there}. These are the posts that stayed behind."
        if account.get("limited") is True:
            return f"The moderators of {self._server} have limited @{self._handle}; some of its posts may be missing."
        return ""

    def _page_at(self, position: _Position) -> tuple[Page, _Position | None]:
        left = self._settings.max_posts - position.count
        reply = self._api.ask(
            f"/api/v1/accounts/{quote(position.account, safe='')}/statuses",
            limit=max(1, min(_LARGEST_PAGE, self._settings.page_size, left)),
            exclude_reblogs="true",
            max_id=position.max_id,
            since_id=position.newer_than,
        )
        if reply.status != 200 or not isinstance(reply.data, list):
            raise self._refusal(reply)
        statuses = [status for status in reply.data if _id_of(status) is not None][:left]
        count = position.count + len(statuses)
        oldest = _id_of(statuses[-1]) if statuses else None
        # A page may be short and not the last: the server leaves out what is not for everybody.
        is_last = oldest is None or oldest == position.max_id or count >= self._settings.max_posts
        following = None if is_last else replace(position, max_id=oldest, count=count)
        if following is None and count == 0 and position.newer_than is None:
            raise NoPosts(f"@{self._handle} shows no posts of its own to everybody. Try another account.")
        found = [_post(status, position.account) for status in statuses if text_in(status, "visibility") in _PUBLIC]
        posts = tuple(post for post in found if self._settings.wants(post))
        return Page(posts, cursor_of(following) if following else None, position.total), following

    def _refusal(self, reply: Reply) -> SourceError:
        """What an answer that is not the expected one means."""
        said = text_in(reply.data, "error").lower()
        if reply.status == 410 or "suspended" in said:
            return self._suspended()
        if reply.status in (401, 403) or (reply.status == 422 and "authenticated" in said):
            return ProtectedHandle(
                f"{self._server} shows posts only to people who have an account there, so those of @{self._handle} "
                "cannot be read. If it is your account, ask the people who run the server, or bring your posts as a "
                "file."
            )
        if reply.status == 404 and said:
            return UnknownHandle(
                f"{self._server} knows no account @{self._name}. Check the spelling, or give the address of the "
                "profile as your browser shows it: some servers have another name there."
            )
        return BadAnswer(
            f"{self._server} does not answer as a Mastodon server does ({reply.status}). Check the name of the server, "
            "or give the address of the profile as your browser shows it."
        )

    def _suspended(self) -> SuspendedHandle:
        return SuspendedHandle(
            f"{self._server} has suspended @{self._handle}, so its posts cannot be read. Try another account."
        )


def _base_of(server: str, settings: SourceSettings) -> str:
    """The address of a server; over HTTP only where the operator has written it so."""
    unsafe = f"http://{server}"
    try:
        is_ours = origin_of(unsafe) in {origin_of(origin) for origin in settings.private_servers}
    except ValueError:
        is_ours = False
    return unsafe if is_ours else f"https://{server}"


def _id_of(record: Any) -> str | None:
    """The id of an account or a post, None for what has no usable one."""
    value = record.get("id") if isinstance(record, Mapping) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**30 else ""
    found = storable(value).strip() if isinstance(value, str) else ""
    return found if 0 < len(found) <= 64 else None


def _handle_of(account: Any) -> str:
    """ "name@server" of an account that another one points to, "" where there is none."""
    acct = text_in(account, "acct")
    if "@" in acct or not acct:
        return acct
    try:
        server = urlsplit(text_in(account, "url")).netloc
    except ValueError:
        server = ""
    return f"{acct}@{server}" if server else acct


def _post(status: Mapping[str, Any], account: str) -> Post:
    boosted = status.get("reblog")
    author = _id_of(status.get("account"))
    is_repost = isinstance(boosted, Mapping) or author not in (None, account)
    emojis = status.get("emojis")
    pictures = {text_in(emoji, "shortcode") for emoji in emojis} if isinstance(emojis, list) else set()
    content = text_in(boosted if isinstance(boosted, Mapping) else status, "content")
    text = storable(text_of_html(content, pictures=pictures))
    to = status.get("in_reply_to_account_id")
    is_answer = bool(status.get("in_reply_to_id")) and str(to) != account
    return Post(
        key=_id_of(status) or "",
        text=text,
        created_at=parse_date(status.get("created_at")),
        is_repost=is_repost,
        is_reply=not is_repost and (text.startswith("@") or is_answer),
        is_quote=not is_repost and isinstance(status.get("quote"), Mapping),
        has_warning=bool(text_in(status, "spoiler_text").strip()),
    )
