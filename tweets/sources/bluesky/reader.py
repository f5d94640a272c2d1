"""The public posts of a Bluesky account, through the API that needs no key.

A reader of posts there sees what the account shows to everybody; an account that asks not to be shown to people who are
not signed in is left alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

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
from tweets.sources.reading.links import whole_link
from tweets.sources.reading.paging import MAX_EMPTY_PAGES, cursor_of, position_of
from tweets.sources.reading.records import parse_date
from tweets.sources.web.client import Client
from tweets.sources.web.json_api import JsonApi, Reply, count_in, text_in

_LARGEST_PAGE = 100
_HIDDEN = "!no-unauthenticated"
_WARNINGS = frozenset({"!warn", "porn", "sexual", "nudity", "graphic-media", "gore"})  # labels that hide a post
_TID = re.compile(r"[2-7a-z]{13}\Z")  # keys that sort by time


@dataclass(frozen=True, slots=True)
class _Position:
    """Where an import stands: whose posts, the page that comes next, how many were read, how many there are."""

    did: str
    page: str | None = None
    count: int = 0
    total: int | None = None
    newer_than: str | None = None
    empty: int = 0


class BlueskySource:
    """The newest posts of a handle or a DID, at most `settings.max_posts`, reposts among them and marked."""

    def __init__(self, handle: str, settings: SourceSettings, *, client: Client | None = None) -> None:
        self._handle = handle
        self._shown = handle if handle.startswith("did:") else f"@{handle}"
        self._settings = settings
        # What the operator has set may be a proxy in their own network.
        api_url = settings.of(BlueskySettings).api_url
        client = client or Client(settings, trusted=[api_url])
        self._api = JsonApi("Bluesky", api_url, settings, client)

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        """Yields the pages. The first is empty: its cursor keeps the account's look-up, `total` is known from there on.

        Raises the SourceError that says what Bluesky answered; RateLimited and SourceUnavailable are worth another try
        from the last cursor.
        """
        if cursor:
            position: _Position | None = position_of(_Position, cursor)
        else:
            position = self._look_up()
            yield Page((), cursor_of(position), position.total)
        while position is not None:
            page, position = self._page_at(position)
            yield page

    def _look_up(self) -> _Position:
        reply = self._api.ask("/xrpc/app.bsky.actor.getProfile", actor=self._handle)
        did = text_in(reply.data, "did")
        if reply.status != 200 or not did:
            raise self._refusal(reply)
        if any(text_in(label, "val") == _HIDDEN and not label.get("neg") for label in _list_in(reply.data, "labels")):
            raise ProtectedHandle(
                f"{self._shown} asks that its posts are not shown to people who are not signed in to Bluesky, so they "
                "are not read here. If it is your account, you can change that on Bluesky under Settings, Privacy and "
                "security, and try again."
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
            # A page that reaches back to what is held is the last; it comes whole, as posts are not strictly in order.
            or any(_is_held(post, position.newer_than) for post in found)
        )
        if is_last and following.count == 0 and position.newer_than is None:
            raise NoPosts(f"{self._shown} has not posted anything. Try another account.")
        posts = tuple(post for post in found if self._settings.wants(post))
        return Page(posts, None if is_last else cursor_of(following), position.total), None if is_last else following

    def _refusal(self, reply: Reply) -> SourceError:
        """What an answer that is not the expected one means."""
        error, message = text_in(reply.data, "error"), text_in(reply.data, "message")
        if error == "AccountTakedown" or "suspended" in message or "taken down" in message:
            return SuspendedHandle(
                f"Bluesky has taken down {self._shown}, so its posts cannot be read. Try another account."
            )
        if error == "AccountDeactivated" or "deactivated" in message:
            return SuspendedHandle(
                f"{self._shown} has been deactivated by its owner, so its posts cannot be read. Try another account."
            )
        if "not found" in message.lower() or "resolve" in message or "valid did" in message:
            return UnknownHandle(f"Bluesky knows no account {self._shown}. Check the spelling.")
        if reply.status in (401, 403):
            return ProtectedHandle(f"Bluesky does not show the posts of {self._shown} to people who are not signed in.")
        return BadAnswer(f"Bluesky gave an answer that cannot be read ({reply.status}). Try again in a few minutes.")


def _post(item: Any, did: str) -> Post | None:
    """The post of an item of a feed, None where there is none in it."""
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
        # The same post may also be there as one's own.
        key=_key("repost-" + (_key(text_in(reason, "uri")) or key)) if is_repost else key,
        text=text,
        created_at=parse_date(record.get("createdAt")) or parse_date(view.get("indexedAt")),
        is_repost=is_repost,
        is_reply=not is_repost and (text.startswith("@") or _is_to_somebody_else(item, record, did)),
        is_quote=not is_repost and text_in(record.get("embed"), "$type").startswith("app.bsky.embed.record"),
        has_warning=any(text_in(label, "val") in _WARNINGS for label in _list_in(view, "labels")),
    )


def _key(uri: str) -> str:
    """The last part of an address, which is unique among an account's posts; something as unique where it is long."""
    key = uri.rsplit("/", 1)[-1]
    return key if len(key) <= 64 else hashlib.sha256(uri.encode()).hexdigest()


def _is_held(post: Post, newer_than: str | None) -> bool:
    if newer_than is None or post.is_repost:
        return False
    both = _TID.match(post.key) and _TID.match(newer_than)
    return post.key == newer_than or bool(both and post.key < newer_than)


def _is_to_somebody_else(item: Mapping[str, Any], record: Mapping[str, Any], did: str) -> bool:
    """True for an answer, but not for the next post of one's own thread."""
    reply = record.get("reply")
    if not isinstance(reply, Mapping):
        return False
    uri = text_in(reply.get("parent"), "uri")
    if uri.startswith("at://"):
        return uri.split("/")[2] != did
    shown = item.get("reply")
    parent = shown.get("parent") if isinstance(shown, Mapping) else None
    author = parent.get("author") if isinstance(parent, Mapping) else None
    return text_in(author, "did") != did


def _with_whole_links(text: str, facets: list[Any]) -> str:
    """The text with the full address wherever Bluesky shows a shortened one. Facets count in bytes of UTF-8."""
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
        if end > done:  # one of two that overlap
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
