"""A server on this machine that answers like a Mastodon server for scripted accounts.

In a test: `with MastodonServer() as api: ... api.handle("prolific") ...`. By hand:
`python -m tests.fakes.mastodon_server --port 8896`, then set PRIVATE_SERVERS to http://127.0.0.1:8896 and import
@prolific@127.0.0.1:8896.

Accounts: prolific, chatty (replies, threads, a content warning, links, emoji), empty, moved, suspended, silenced,
members (401), forbidden (403), locked (422), limited (one 429), flaky (503 now and then), cut (a page breaks off), down
(always 503), website (a page in HTML), oddity (JSON of another kind). Everybody else is unknown.
"""

from __future__ import annotations

import argparse
import html
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.posts import make_posts
from tests.fakes.server import Answer, FakeServer

NAMES = [
    "prolific",
    "chatty",
    "empty",
    "moved",
    "suspended",
    "silenced",
    "members",
    "forbidden",
    "locked",
    "limited",
    "flaky",
    "cut",
    "down",
    "website",
    "oddity",
]
COUNTS = {"prolific": 610, "empty": 0}
_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
_STEP = timedelta(minutes=53)
_FIRST_ID = 115_000_000_000_000_000
_AUTHENTICATED = "This method requires an authenticated user"


def status(account: str, number: int, content: str, **more: Any) -> dict[str, Any]:
    """One post of the account with that id; numbers count from the oldest."""
    moment = _NEWEST + number * _STEP
    return {
        "id": str(_FIRST_ID + number * 1000),
        "created_at": moment.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "content": content,
        "reblog": None,
        "account": {"id": account},
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "poll": None,
        **more,
    }


def paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _chatty(account: str) -> list[dict[str, Any]]:
    texts = make_posts(20, seed=26)
    numbers = range(20, 0, -1)
    found = [status(account, number, paragraph(text)) for number, text in zip(numbers, texts, strict=True)]
    mention = (
        '<span class="h-card"><a href="https://a.example/@friend" class="u-url mention">@<span>friend</span></a></span>'
    )
    found[1] |= {"spoiler_text": "a spoiler", "content": "<p>the butler did it</p>", "sensitive": True}
    found[2] |= {
        "content": f"<p>{mention} that is true &amp; kind</p>",
        "in_reply_to_id": "77",
        "in_reply_to_account_id": "78",
    }
    found[3] |= {"in_reply_to_id": found[4]["id"], "in_reply_to_account_id": account}
    found[5] |= {
        "content": '<p>Moss, at last: <a href="https://example.com/a-very-long-address" rel="nofollow">'
        '<span class="invisible">https://</span><span class="ellipsis">example.com/a-very-lo</span>'
        '<span class="invisible">ng-address</span></a><br>and <a href="https://a.example/tags/moss" '
        'class="mention hashtag" rel="tag">#<span>moss</span></a> :blobcat: ☕</p><p>More &lt;soon&gt;.</p>',
        "emojis": [{"shortcode": "blobcat", "url": "https://a.example/blobcat.png"}],
    }
    found[6] |= {"content": "", "media_attachments": [{"id": "1", "type": "image"}]}
    found[7] |= {
        "content": '<p class="quote-inline">RE: <a href="https://a.example/1">a.example</a></p><p>Quite so.</p>',
        "quote": {"state": "accepted", "quoted_status": {"id": "1"}},
    }
    found[8] |= {"visibility": "private"}
    return found


class MastodonServer(FakeServer):
    """The server; `publish` adds posts to an account, `hand_over` gives its handle to another one."""

    def __init__(self, port: int = 0, *, limited_seconds: int = 300) -> None:
        super().__init__(port)
        self.limited_seconds = limited_seconds
        self._ids = {name: str(109_000_000_000_000_000 + index) for index, name in enumerate(NAMES)}
        self._statuses: dict[str, list[dict[str, Any]]] = {"chatty": _chatty(self._ids["chatty"])}

    def handle(self, name: str) -> str:
        return f"@{name}@127.0.0.1:{self.port}"

    def statuses_of(self, name: str) -> list[dict[str, Any]]:
        """All posts of an account, newest first."""
        with self._lock:
            if name not in self._statuses:
                texts = make_posts(COUNTS.get(name, 130), seed=sum(name.encode()))
                self._statuses[name] = [
                    status(self._ids[name], len(texts) - index, paragraph(text)) for index, text in enumerate(texts)
                ]
            return self._statuses[name]

    def publish(self, name: str, texts: list[str]) -> None:
        """Add posts to the account. The last text is the newest."""
        found = self.statuses_of(name)
        with self._lock:
            for text in texts:
                found.insert(0, status(self._ids[name], len(found) + 1, paragraph(text)))

    def hand_over(self, name: str, texts: list[str]) -> None:
        """Give the handle to another account, which has posted these texts. The last text is the newest."""
        first = len(self.statuses_of(name)) + 1
        with self._lock:
            self._ids[name] += "0"
            found = [status(self._ids[name], number, paragraph(text)) for number, text in enumerate(texts, first)]
            self._statuses[name] = found[::-1]

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if path == "/api/v1/accounts/lookup":
            return self._look_up(query.get("acct", "").lower())
        steps = path.strip("/").split("/")
        if steps[:3] == ["api", "v1", "accounts"] and steps[4:] == ["statuses"]:
            name = next((name for name, number in self._ids.items() if number == steps[3]), None)
            return self._page(name, query) if name else Answer(404, {"error": "Record not found"})
        return Answer(404, "<html>The page you are looking for isn't here.</html>")

    def _look_up(self, name: str) -> Answer:
        if name not in self._ids:
            return Answer(404, {"error": "Record not found"})
        if name == "website":
            return Answer(200, "<!DOCTYPE html><html><title>A web site</title></html>")
        if name == "oddity":
            return Answer(200, ["not", "an", "account"])
        if name == "down" or (name == "flaky" and self.once("flaky look-up")):
            return Answer(503, "<html>Over capacity</html>")
        account: dict[str, Any] = {
            "id": self._ids[name],
            "username": name,
            "acct": name,
            "url": f"{self.url}/@{name}",
            "statuses_count": len(self.statuses_of(name)),
            "locked": False,
        }
        if name == "suspended":
            account |= {"suspended": True, "statuses_count": 0}
        if name == "silenced":
            account["limited"] = True
        if name == "moved":
            account["moved"] = {"id": "5", "acct": "moved@new.example", "url": "https://new.example/@moved"}
        return Answer(200, account)

    def _page(self, name: str, query: dict[str, str]) -> Answer:
        refusals = {
            "members": Answer(401, {"error": _AUTHENTICATED}),
            "forbidden": Answer(403, {"error": "This action is not allowed"}),
            "locked": Answer(422, {"error": _AUTHENTICATED}),
        }
        if name in refusals:
            return refusals[name]
        start = query.get("max_id", "")
        if name == "flaky" and self.once(f"flaky {start}"):
            return Answer(503, "<html>Over capacity</html>")
        if name == "limited" and start and self.once("limited"):
            reset = datetime.now(UTC) + timedelta(seconds=self.limited_seconds)
            headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
            return Answer(429, {"error": "Too many requests"}, headers)
        found = [
            status
            for status in self.statuses_of(name)
            if (not start or int(status["id"]) < int(start)) and int(status["id"]) > int(query.get("since_id", "0"))
        ]
        size = min(int(query.get("limit", "20")), 40)
        return Answer(200, found[:size], cut=name == "cut" and bool(start) and self.once("cut"))


def main() -> None:
    """Serves until interrupted."""
    options = argparse.ArgumentParser(description="A local stand-in for a Mastodon server.")
    options.add_argument("--port", type=int, default=8896)
    options.add_argument("--limited-seconds", type=int, default=30)
    chosen = options.parse_args()
    server = MastodonServer(chosen.port, limited_seconds=chosen.limited_seconds)
    print(f"Mastodon stand-in at {server.url}: {server.handle('prolific')}", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
