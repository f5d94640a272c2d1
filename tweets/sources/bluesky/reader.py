"""The public posts of a Bluesky account, through the API that needs no key.

It reads only what the account shows to everybody, and nothing if the account asks not to be shown to people who aren't
signed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botfactory.words.translatable import mark
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
from tweets.sources.bluesky.settings import BlueskySettings
from tweets.sources.bluesky.traits import has_warning, is_quote, is_to_somebody_else
from tweets.sources.reading.links import whole_link
from tweets.sources.reading.paging import MAX_EMPTY_PAGES, cursor_of, position_of
from tweets.sources.reading.records import parse_date
from tweets.sources.web.client import Client
from tweets.sources.web.json_api import JsonApi, Reply, count_in, text_in

_LARGEST_PAGE = 100
_HIDDEN = "!no-unauthenticated"
_TID = re.compile(r"[2-7a-z]{13}\Z")  # keys that sort by time


@dataclass(frozen=True, slots=True)
class _Position:
    """The state of an import: the account, the next page, how many posts were read, how many there are."""

    did: str
    page: str | None = None
    count: int = 0
    total: int | None = None
    newer_than: str | None = None
    empty: int = 0


class BlueskySource:
    """The newest posts of a handle or a DID, at most `settings.max_posts`, including reposts."""

    def __init__(self, handle: str, settings: SourceSettings, *, client: Client | None = None) -> None:
        self._handle = handle
        self._shown = handle if handle.startswith("did:") else f"@{handle}"
        self._settings = settings
        # The address may be that of a proxy in the operator's own network.
        api_url = settings.of(BlueskySettings).api_url
        client = client or Client(settings, trusted=[api_url])
        self._api = JsonApi("Bluesky", api_url, settings, client)

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yield the pages. The first is empty: its cursor stores the lookup of the account, and has the `total`.

        Raises the SourceError that fits Bluesky's answer. RateLimited and SourceUnavailable are worth another try from
        the last cursor.
        """
        if cursor:
            position: _Position | None = position_of(_Position, cursor)
        else:
            position = self._look_up()
            yield Page((), cursor_of(position), position.total, account=position.did)
        while position is not None:
            page, position = self._page_at(position)
            yield page

    def _look_up(self) -> _Position:
        reply = self._api.ask("/xrpc/app.bsky.actor.getProfile", actor=self._handle)
        did = text_in(reply.data, "did")
        if reply.status != 200 or not did:
            raise self._refusal(reply)
        self._settings.require_account(did, shown=self._shown)
        if any(text_in(label, "val") == _HIDDEN and not label.get("neg") for label in _list_in(reply.data, "labels")):
            raise ProtectedHandle(
                mark(
                    "%(account)s asks Bluesky not to show its posts to people who aren’t signed in, so we don’t read "
                    "them. If it’s your account, change that on Bluesky under Settings, Privacy and security, and try "
                    "again."
                ),
                account=self._shown,
            )
        newer_than = self._settings.newer_than
        known = count_in(reply.data, "postsCount") if newer_than is None else None
        total = None if known is None else min(known, self._settings.max_posts)
        return _Position(did=did, total=total, newer_than=newer_than)

    def _page_at(self, position: _Position) -> tuple[Page, _Position | None]:
        left = self._settings.max_posts - position.count
        reply = self._api.ask(
            "/xrpc/app.bsky.feed.getAuthorFeed",
            actor=position.did,
            filter="posts_with_replies",
            limit=max(1, min(_LARGEST_PAGE, self._settings.page_size, left)),
            cursor=position.page,
        )
        feed = reply.data.get("feed") if isinstance(reply.data, dict) else None
        if reply.status != 200 or not isinstance(feed, list):
            raise self._refusal(reply)
        feed = feed[:left]
        found = [post for item in feed if (post := _post(item, position.did)) is not None]
        token = text_in(reply.data, "cursor")
        following = replace(
            position, page=token, count=position.count + len(feed), empty=0 if feed else position.empty + 1
        )
        is_last = (
            not token
            or token == position.page
            or following.count >= self._settings.max_posts
            or following.empty >= MAX_EMPTY_PAGES
            # The page that reaches posts we have is the last. All of it counts, because posts aren't strictly in order.
            or any(_is_held(post, position.newer_than) for post in found)
        )
        if is_last and following.count == 0 and position.newer_than is None:
            raise NoPosts(mark("%(account)s hasn’t posted anything. Try another account."), account=self._shown)
        posts = tuple(post for post in found if self._settings.wants(post))
        cursor = None if is_last else cursor_of(following)
        return Page(posts, cursor, position.total, account=position.did), None if is_last else following

    def _refusal(self, reply: Reply) -> SourceError:
        """Return the error that an unexpected answer means."""
        error, message = text_in(reply.data, "error"), text_in(reply.data, "message")
        if error == "AccountTakedown" or "suspended" in message or "taken down" in message:
            return SuspendedHandle(
                mark("Bluesky has taken down %(account)s, so its posts can’t be read. Try another account."),
                account=self._shown,
            )
        if error == "AccountDeactivated" or "deactivated" in message:
            return SuspendedHandle(
                mark("The owner of %(account)s has deactivated it, so its posts can’t be read. Try another account."),
                account=self._shown,
            )
        if "not found" in message.lower() or "resolve" in message or "valid did" in message:
            return UnknownHandle(mark("Bluesky has no account %(account)s. Check the spelling."), account=self._shown)
        if reply.status in (401, 403):
            return ProtectedHandle(
                mark("Bluesky doesn’t show the posts of %(account)s to people who aren’t signed in."),
                account=self._shown,
            )
        return BadAnswer(
            mark("Bluesky sent an answer that we can’t read (%(status)s). Try again in a few minutes."),
            status=str(reply.status),
        )


def _post(item: Any, did: str) -> Post | None:
    """Return the post of an item of a feed, or None without one."""
    view = item.get("post") if isinstance(item, Mapping) else None
    record = view.get("record") if isinstance(view, Mapping) else None
    key = _key(text_in(view, "uri"))
    if not isinstance(view, Mapping) or not isinstance(record, Mapping) or not key:
        return None
    reason = item.get("reason")
    is_repost = text_in(reason, "$type").endswith("#reasonRepost") or text_in(view.get("author"), "did") not in (
        "",
        did,
    )
    text = storable(_with_whole_links(text_in(record, "text"), _list_in(record, "facets")))
    return Post(
        # The same post may also be in the feed as the account's own.
        key=_key("repost-" + (_key(text_in(reason, "uri")) or key)) if is_repost else key,
        text=text,
        created_at=parse_date(record.get("createdAt")) or parse_date(view.get("indexedAt")),
        is_repost=is_repost,
        is_reply=not is_repost and (text.startswith("@") or is_to_somebody_else(item, record, did)),
        is_quote=not is_repost and is_quote(record),
        has_warning=has_warning(view),
    )


def _key(uri: str) -> str:
    """Return the last part of an address, which is unique among an account's posts, or a digest if it's long."""
    key = uri.rsplit("/", 1)[-1]
    return key if len(key) <= 64 else hashlib.sha256(uri.encode()).hexdigest()


def _is_held(post: Post, newer_than: str | None) -> bool:
    if newer_than is None or post.is_repost:
        return False
    both = _TID.match(post.key) and _TID.match(newer_than)
    return post.key == newer_than or bool(both and post.key < newer_than)


def _with_whole_links(text: str, facets: list[Any]) -> str:
    """Return the text with the full address for each shortened one. Facets count in bytes of UTF-8."""
    data = text.encode()
    cuts = []
    for facet in facets:
        index = facet.get("index") if isinstance(facet, Mapping) else None
        start, end = count_in(index, "byteStart"), count_in(index, "byteEnd")
        links = [text_in(feature, "uri") for feature in _list_in(facet, "features")]
        link = next((link for link in links if link), None)
        if link and start is not None and end is not None and start < end <= len(data):
            cuts.append((start, end, link))
    done = len(data)
    for start, end, link in sorted(cuts, reverse=True):
        if end > done:  # overlaps with another one
            continue
        try:
            shown = data[start:end].decode()
        except UnicodeDecodeError:  # in the middle of a character
            continue
        data = data[:start] + whole_link(shown, link).encode() + data[end:]
        done = start
    return data.decode()


def _list_in(record: Any, name: str) -> list[Any]:
    value = record.get(name) if isinstance(record, Mapping) else None
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
