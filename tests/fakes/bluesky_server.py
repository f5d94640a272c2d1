"""A server on this machine that answers like Bluesky's public API for scripted accounts.

In a test: `with BlueskyServer() as api: ... api.url ...`. By hand: `python -m tests.fakes.bluesky_server --port 8897`,
then set BLUESKY_API_URL to http://127.0.0.1:8897.

Accounts: prolific, chatty (replies, threads, reposts, quotes, links), empty, hidden (not for people who are not signed
in), takendown, deactivated, limited (one 429), flaky (503 now and then), cut (a page breaks off), down (always 503),
garbled, looping (always gives the same page), each as NAME.bsky.social, and essays.example.com. Everybody else is
unknown.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.posts import make_posts
from tests.fakes.server import Answer, FakeServer

NAMES = [
    "prolific",
    "chatty",
    "empty",
    "hidden",
    "takendown",
    "deactivated",
    "limited",
    "flaky",
    "cut",
    "down",
    "garbled",
    "looping",
]
COUNTS = {"prolific.bsky.social": 1240, "empty.bsky.social": 0, "essays.example.com": 40}
_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
_STEP = timedelta(minutes=41)
_TID = "234567abcdefghijklmnopqrstuvwxyz"


def did_of(handle: str) -> str:
    digest = base64.b32encode(hashlib.sha256(handle.encode()).digest()).decode().lower()
    return f"did:plc:{digest[:24]}"


def tid_at(moment: datetime) -> str:
    """Return a key as clients make it from their clock: microseconds and a clock number, in sortable letters."""
    number = int(moment.timestamp() * 1_000_000) << 10
    return "".join(_TID[(number >> shift) & 31] for shift in range(60, -1, -5))


def item(handle: str, text: str, moment: datetime, **record: Any) -> dict[str, Any]:
    """One item of an author's feed."""
    did = did_of(handle)
    return {
        "post": {
            "uri": f"at://{did}/app.bsky.feed.post/{tid_at(moment)}",
            "cid": "bafyreib",
            "author": {"did": did, "handle": handle, "displayName": handle.split(".")[0].title(), "labels": []},
            "record": {
                "$type": "app.bsky.feed.post",
                "createdAt": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "langs": ["en"],
                "text": text,
                **record,
            },
            "likeCount": 3,
            "indexedAt": moment.strftime("%Y-%m-%dT%H:%M:%S.500Z"),
            "labels": [],
        }
    }


def link(text: str, shown: str, address: str) -> dict[str, Any]:
    """The facet that makes a link of `shown` in the text."""
    start = len(text[: text.index(shown)].encode())
    return {
        "index": {"byteStart": start, "byteEnd": start + len(shown.encode())},
        "features": [{"$type": "app.bsky.richtext.facet#link", "uri": address}],
    }


def _chatty() -> list[dict[str, Any]]:
    handle, other = "chatty.bsky.social", "friend.bsky.social"
    texts = make_posts(20, seed=16)
    moments = [_NEWEST - index * _STEP for index in range(20)]

    def to(whose: str) -> dict[str, Any]:
        there = {"uri": f"at://{did_of(whose)}/app.bsky.feed.post/3kaaaaaaaaaaa", "cid": "bafy"}
        return {"reply": {"root": there, "parent": there}}

    items = [item(handle, text, moment) for text, moment in zip(texts, moments, strict=True)]
    items[1] = item(other, "words of somebody else", moments[1]) | {
        "reason": {
            "$type": "app.bsky.feed.defs#reasonRepost",
            "by": {"did": did_of(handle), "handle": handle},
            "uri": f"at://{did_of(handle)}/app.bsky.feed.repost/{tid_at(moments[1])}",
            "indexedAt": moments[1].isoformat(),
        }
    }
    items[2] = item(handle, "that is true & kind", moments[2], **to(other))
    items[3] = item(handle, texts[3], moments[3], **to(handle))
    items[4] = item(handle, texts[4], moments[4], embed={"$type": "app.bsky.embed.record", "record": {"uri": "at://x"}})
    text = "☕ I wrote about moss: example.com/a-very-long-a... and read this"
    facets = [
        link(text, "example.com/a-very-long-a...", "https://example.com/a-very-long-address?moss=1"),
        link(text, "read this", "https://example.org/other"),
    ]
    items[5] = item(handle, text, moments[5], facets=facets)
    items[6] = item(handle, "", moments[6], embed={"$type": "app.bsky.embed.images", "images": []})
    items[7] = item(handle, "@friend.bsky.social good morning", moments[7])
    items[8]["post"]["labels"] = [{"src": did_of(handle), "val": "graphic-media"}]
    return items


class BlueskyServer(FakeServer):
    """The server; `publish` adds posts to an account, `hand_over` gives its handle to another one."""

    def __init__(self, port: int = 0, *, limited_seconds: int = 900) -> None:
        super().__init__(port)
        self.limited_seconds = limited_seconds
        handles = [*(f"{name}.bsky.social" for name in NAMES), "essays.example.com"]
        self._dids = {handle: did_of(handle) for handle in handles}
        self._feeds: dict[str, list[dict[str, Any]]] = {"chatty.bsky.social": _chatty()}

    def feed_of(self, handle: str) -> list[dict[str, Any]]:
        """The whole feed of an account, newest first."""
        with self._lock:
            if handle not in self._feeds:
                texts = make_posts(COUNTS.get(handle, 420), seed=sum(handle.encode()))
                self._feeds[handle] = [item(handle, text, _NEWEST - i * _STEP) for i, text in enumerate(texts)]
            return self._feeds[handle]

    def publish(self, handle: str, texts: list[str]) -> None:
        """Add posts to the account. The last text is the newest."""
        feed = self.feed_of(handle)
        with self._lock:
            for text in texts:
                newest = datetime.fromisoformat(feed[0]["post"]["record"]["createdAt"])
                feed.insert(0, item(handle, text, newest + timedelta(minutes=3)))

    def hand_over(self, handle: str, texts: list[str]) -> None:
        """Give the handle to another account, which has posted these texts. The last text is the newest."""
        other = f"other-{handle}"
        newest = datetime.fromisoformat(self.feed_of(handle)[0]["post"]["record"]["createdAt"])
        with self._lock:
            self._dids[handle] = did_of(other)
            items = [item(other, text, newest + number * _STEP) for number, text in enumerate(texts, 1)]
            self._feeds[handle] = items[::-1]

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        actor = query.get("actor", "")
        handle = next((name for name, did in self._dids.items() if actor in (name, did)), None)
        if handle is None:
            return _refused("InvalidRequest", "Profile not found")
        name = handle.split(".")[0]
        if name == "down" or (name == "flaky" and self.once(f"flaky {path} {query.get('cursor')}")):
            return Answer(503, "<html>Over capacity</html>")
        if name == "garbled":
            return Answer(200, "<html>This is not the API.</html>")
        if path == "/xrpc/app.bsky.actor.getProfile":
            return self._profile(handle)
        if path == "/xrpc/app.bsky.feed.getAuthorFeed":
            return self._page(handle, query)
        return Answer(501, {"error": "MethodNotImplemented", "message": "Method Not Implemented"})

    def _profile(self, handle: str) -> Answer:
        if handle.startswith("takendown"):
            return _refused("AccountTakedown", "Account has been suspended")
        if handle.startswith("deactivated"):
            return _refused("AccountDeactivated", "Account is deactivated")
        own = [{"src": did_of(handle), "val": "!no-unauthenticated", "uri": f"at://{did_of(handle)}/profile/self"}]
        return Answer(
            200,
            {
                "did": self._dids[handle],
                "handle": handle,
                "displayName": handle.split(".")[0].title(),
                "postsCount": len(self.feed_of(handle)),
                "labels": own if handle.startswith("hidden") else [],
            },
        )

    def _page(self, handle: str, query: dict[str, str]) -> Answer:
        size = int(query.get("limit", "50"))
        if not 1 <= size <= 100:
            return _refused("InvalidRequest", "Error: Params must have the property limit between 1 and 100")
        start = int(query.get("cursor", "0"))
        if handle.startswith("limited") and start >= 200 and self.once("limited"):
            reset = int(time.time()) + self.limited_seconds
            refusal = {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}
            return Answer(429, refusal, {"RateLimit-Limit": "3000", "RateLimit-Reset": str(reset)})
        feed = self.feed_of(handle)
        body: dict[str, Any] = {"feed": feed[start : start + size]}
        if start + size < len(feed):
            body["cursor"] = str(0 if handle.startswith("looping") else start + size)
        is_cut = handle.startswith("cut") and start >= 200 and self.once("cut")
        return Answer(200, body, cut=is_cut)


def _refused(error: str, message: str) -> Answer:
    return Answer(400, {"error": error, "message": message})


def main() -> None:
    """Serves until interrupted."""
    options = argparse.ArgumentParser(description="A local stand-in for Bluesky's public API.")
    options.add_argument("--port", type=int, default=8897)
    options.add_argument("--limited-seconds", type=int, default=30)
    chosen = options.parse_args()
    server = BlueskyServer(chosen.port, limited_seconds=chosen.limited_seconds)
    print(f"Bluesky stand-in at {server.url}", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
