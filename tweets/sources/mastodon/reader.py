"""The public posts of an account on a Mastodon server, or on one of another kind with the same API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from botfactory.net import origin_of
from botfactory.words.translatable import Sentence, mark
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
_PUBLIC = frozenset({"public", "unlisted", ""})  # "" if a server doesn't say


@dataclass(frozen=True, slots=True)
class _Position:
    """The state of an import: the account, the oldest post so far, how many were read, how many there are."""

    account: str
    max_id: str | None = None
    count: int = 0
    total: int | None = None
    newer_than: str | None = None


class MastodonSource:
    """The newest own posts of a handle "name@server", at most `settings.max_posts`, without boosts."""

    def __init__(self, handle: str, settings: SourceSettings, *, client: Client | None = None) -> None:
        self._handle = handle
        self._name, _, self._server = handle.partition("@")
        if not self._name or not self._server:
            raise ValueError("A Mastodon handle is given as name@server.")
        self._settings = settings
        base = _base_of(self._server, settings)
        self._api = JsonApi(self._server, base, settings, client or Client(settings))

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yield the pages. The first is empty: its cursor stores the lookup of the account, and has the `total`.

        Raises the SourceError that fits the server's answer. RateLimited and SourceUnavailable are worth another try
        from the last cursor.
        """
        if cursor:
            position: _Position | None = position_of(_Position, cursor)
        else:
            position, note = self._look_up()
            yield Page((), cursor_of(position), position.total, note=note, account=position.account)
        while position is not None:
            page, position = self._page_at(position)
            yield page

    def _look_up(self) -> tuple[_Position, str]:
        reply = self._api.ask("/api/v1/accounts/lookup", acct=self._name)
        account = _id_of(reply.data)
        if reply.status != 200 or account is None:
            raise self._refusal(reply)
        self._settings.require_account(account, shown=f"@{self._handle}")
        if reply.data.get("suspended") is True:
            raise self._suspended()
        newer_than = self._settings.newer_than
        known = count_in(reply.data, "statuses_count") if newer_than is None else None
        total = None if known is None else min(known, self._settings.max_posts)
        return _Position(account=account, total=total, newer_than=newer_than), self._note(reply.data)

    def _note(self, account: Mapping[str, Any]) -> str:
        """Return what the person should know about the account, or ""."""
        there = _handle_of(account.get("moved"))
        if there:
            said = mark("@%(account)s has moved to @%(other)s. These are the posts from before.")
            return Sentence(said, account=self._handle, other=there)
        if account.get("limited") is True:
            said = mark("The moderators of %(server)s have limited @%(account)s. Some of its posts may be missing.")
            return Sentence(said, server=self._server, account=self._handle)
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
        # A short page may not be the last: the server leaves out what isn't public.
        is_last = oldest is None or oldest == position.max_id or count >= self._settings.max_posts
        following = None if is_last else replace(position, max_id=oldest, count=count)
        if following is None and count == 0 and position.newer_than is None:
            raise NoPosts(
                mark("@%(account)s has no public posts of its own. Try another account."), account=self._handle
            )
        found = [_post(status, position.account) for status in statuses if text_in(status, "visibility") in _PUBLIC]
        posts = tuple(post for post in found if self._settings.wants(post))
        cursor = cursor_of(following) if following else None
        return Page(posts, cursor, position.total, account=position.account), following

    def _refusal(self, reply: Reply) -> SourceError:
        """Return the error that an unexpected answer means."""
        said = text_in(reply.data, "error").lower()
        if reply.status == 410 or "suspended" in said:
            return self._suspended()
        if reply.status in (401, 403) or (reply.status == 422 and "authenticated" in said):
            return ProtectedHandle(
                mark(
                    "%(server)s shows posts only to people who have an account there, so those of @%(account)s can’t "
                    "be read. If it’s your account, ask the people who run the server, or upload your posts as a file."
                ),
                server=self._server,
                account=self._handle,
            )
        if reply.status == 404 and said:
            return UnknownHandle(
                mark(
                    "%(server)s has no account @%(account)s. Check the spelling, or enter the address of the profile "
                    "as your browser shows it: some servers have another name there."
                ),
                server=self._server,
                account=self._name,
            )
        return BadAnswer(
            mark(
                "%(server)s doesn’t answer like a Mastodon server (%(status)s). Check the name of the server, or enter "
                "the address of the profile as your browser shows it."
            ),
            server=self._server,
            status=str(reply.status),
        )

    def _suspended(self) -> SuspendedHandle:
        return SuspendedHandle(
            mark("%(server)s has suspended @%(account)s, so its posts can’t be read. Try another account."),
            server=self._server,
            account=self._handle,
        )


def _base_of(server: str, settings: SourceSettings) -> str:
    """Return the address of a server: over HTTP only if the operator has set it so."""
    unsafe = f"http://{server}"
    try:
        is_ours = origin_of(unsafe) in {origin_of(origin) for origin in settings.private_servers}
    except ValueError:
        is_ours = False
    return unsafe if is_ours else f"https://{server}"


def _id_of(record: Any) -> str | None:
    """Return the id of an account or a post, or None without a usable one."""
    value = record.get("id") if isinstance(record, Mapping) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**30 else ""
    found = storable(value).strip() if isinstance(value, str) else ""
    return found if 0 < len(found) <= 64 else None


def _handle_of(account: Any) -> str:
    """Return "name@server" of an account that another one points to, or ""."""
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
