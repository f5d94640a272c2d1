"""A server on this machine that answers like the X API, version 2, for scripted accounts.

In a test: `with XApiServer() as api: ... api.url ...`. By hand: `python -m tests.fakes.x_api_server --port 8899`, then
set the X API address to http://127.0.0.1:8899 and the token to "test-token".

Accounts: prolific, essayist (long posts), chatty (replies, threads, retweets), empty, suspended, protected, nocredits,
limited (one 429), flaky (503 now and then), cut (a page breaks off), down (always 503), notenrolled, capped, garbled,
expelled (suspended after the look-up). Everybody else is unknown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.posts import make_long_post, make_posts
from tests.fakes.server import Answer, FakeServer

TOKEN = "test-token"
REACHABLE = 3200
_PROBLEM = "https://api.twitter.com/2/problems/"
_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)


def _tweets(name: str, texts: list[str]) -> list[dict[str, Any]]:
    start = sum(name.encode()) * 1_000_000
    return [
        {
            "id": str(1_900_000_000_000_000_000 + start - index),
            "text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
            "created_at": (_NEWEST - timedelta(minutes=37 * index)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "edit_history_tweet_ids": [str(1_900_000_000_000_000_000 + start - index)],
            "lang": "en",
        }
        for index, text in enumerate(texts)
    ]


def _essayist() -> list[dict[str, Any]]:
    posts = _tweets("essayist", make_posts(12, seed=5))
    for index in (0, 7):
        whole = make_long_post(seed=index)
        posts[index] |= {"text": whole[:274] + "… https://t.co/abcdefghij", "note_tweet": {"text": whole}}
    return posts


def _chatty(own_id: str) -> list[dict[str, Any]]:
    posts = _tweets("chatty", make_posts(20, seed=6))
    posts[1] |= {
        "text": "RT @someone: words of somebody else…",
        "referenced_tweets": [{"type": "retweeted", "id": "1"}],
    }
    posts[2] |= {
        "text": "@someone that is true &amp; kind",
        "in_reply_to_user_id": "77",
        "referenced_tweets": [{"type": "replied_to", "id": "2"}],
    }
    posts[3] |= {"in_reply_to_user_id": own_id, "referenced_tweets": [{"type": "replied_to", "id": "3"}]}
    posts[4] |= {"referenced_tweets": [{"type": "quoted", "id": "4"}]}
    return posts


class XApiServer(FakeServer):
    """The server; `publish` adds posts to an account, `hand_over` gives its handle to another one."""

    def __init__(self, port: int = 0, *, limited_seconds: int = 900, token: str = TOKEN) -> None:
        super().__init__(port)
        self.limited_seconds = limited_seconds
        self.token = token
        names = (
            "prolific essayist chatty empty suspended protected nocredits limited flaky cut down notenrolled capped "
            "garbled expelled"
        )
        self._ids = {name: str(1000 + index) for index, name in enumerate(names.split())}
        self._posts: dict[str, list[dict[str, Any]]] = {"essayist": _essayist(), "chatty": _chatty(self._ids["chatty"])}

    def posts_of(self, name: str) -> list[dict[str, Any]]:
        """Return all posts of an account, newest first, as in the API (including unreachable ones)."""
        with self._lock:
            if name not in self._posts:
                count = {"prolific": 4000, "empty": 0}.get(name, 420)
                self._posts[name] = _tweets(name, make_posts(count, seed=sum(name.encode())))
            return self._posts[name]

    def pages_sold(self) -> list[tuple[str, str]]:
        """Return (path, pagination token) of every complete page of posts, in order."""
        return [
            (request.path, request.query.get("pagination_token", ""))
            for request in self.requests
            if request.status == 200 and request.whole and request.path.endswith("/tweets")
        ]

    def publish(self, name: str, texts: list[str]) -> None:
        """Add posts to the account. The last text is the newest."""
        posts = self.posts_of(name)
        with self._lock:
            for text in texts:
                newest = posts[0]
                moment = datetime.fromisoformat(newest["created_at"]) + timedelta(minutes=3)
                post = {
                    "id": str(int(newest["id"]) + 1),
                    "text": text,
                    "created_at": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                }
                posts.insert(0, post)

    def hand_over(self, name: str, texts: list[str]) -> None:
        """Give the handle to another account, which has posted these texts. The last text is the newest."""
        self.publish(name, texts)
        with self._lock:
            self._ids[name] += "0"
            del self._posts[name][len(texts) :]

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if headers.get("authorization") != f"Bearer {self.token}":
            return Answer(
                401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
            )
        steps = path.strip("/").split("/")
        if steps[:4] == ["2", "users", "by", "username"] and len(steps) == 5:
            return self._user(steps[4])
        if steps[:2] == ["2", "users"] and steps[3:] == ["tweets"]:
            name = next((name for name, number in self._ids.items() if number == steps[2]), None)
            return self._timeline(name, query) if name else _not_found("id", steps[2])
        return Answer(404, {"title": "Not Found", "detail": "Not Found", "type": "about:blank", "status": 404})

    def _user(self, typed: str) -> Answer:
        name = typed.lower()
        if name not in self._ids:
            return _not_found("username", typed)
        if name == "suspended":
            return _suspended("username", typed)
        if name == "nocredits":
            detail = "Your enrolled account does not have any credits to fulfill this request."
            return Answer(402, {"title": "CreditsDepleted", "detail": detail, "type": _PROBLEM + "credits"})
        if name == "notenrolled":
            return Answer(
                403,
                {
                    "title": "Client Forbidden",
                    "reason": "client-not-enrolled",
                    "detail": "You must use keys and tokens from a developer App that is attached to a Project.",
                    "type": _PROBLEM + "client-forbidden",
                },
            )
        if name == "garbled":
            return Answer(200, "<html>This is not the API.</html>")
        if name == "down" or (name == "flaky" and self.once("flaky user")):
            return Answer(503, "<html>Over capacity</html>")
        user = {
            "id": self._ids[name],
            "name": typed.title(),
            "username": typed,
            "protected": name == "protected",
            "public_metrics": {"tweet_count": len(self.posts_of(name))},
        }
        return Answer(200, {"data": user})

    def _timeline(self, name: str, query: dict[str, str]) -> Answer:
        size = int(query.get("max_results", "10"))
        if not 5 <= size <= 100:
            return Answer(400, {"title": "Invalid Request", "detail": "max_results is not between 5 and 100"})
        if name == "protected":
            errors = [{"title": "Authorization Error", "type": _PROBLEM + "not-authorized-for-resource"}]
            return Answer(200, {"errors": errors})
        if name == "expelled":
            return _suspended("id", self._ids[name])
        if name == "capped":
            return Answer(429, {"title": "UsageCapExceeded", "type": _PROBLEM + "usage-capped", "period": "Monthly"})
        reachable = self.posts_of(name)[:REACHABLE]
        if since := query.get("since_id"):
            reachable = [post for post in reachable if int(post["id"]) > int(since)]
        if "retweets" in query.get("exclude", ""):
            reachable = [post for post in reachable if not post["text"].startswith("RT @")]
        # A token names a post, so posts that are published between two pages don't shift the second one.
        token = query.get("pagination_token", "").removeprefix("next")
        start = [post["id"] for post in reachable].index(token) if token else 0
        if name == "limited" and start >= 200 and self.once("limited"):
            reset = int(time.time()) + self.limited_seconds
            body = {"title": "Too Many Requests", "type": "about:blank", "status": 429, "detail": "Too Many Requests"}
            return Answer(429, body, {"x-rate-limit-limit": "900", "x-rate-limit-reset": str(reset)})
        if name == "flaky" and self.once(f"flaky {start}"):
            return Answer(503, "<html>Over capacity</html>")
        data = reachable[start : start + size]
        if not data:
            return Answer(200, {"meta": {"result_count": 0}})
        meta = {"result_count": len(data), "newest_id": data[0]["id"], "oldest_id": data[-1]["id"]}
        if start + size < len(reachable):
            meta["next_token"] = f"next{reachable[start + size]['id']}"
        return Answer(200, {"data": data, "meta": meta}, cut=name == "cut" and start >= 200 and self.once("cut"))


def _not_found(parameter: str, value: str) -> Answer:
    error = {
        "value": value,
        "parameter": parameter,
        "resource_type": "user",
        "title": "Not Found Error",
        "detail": f"Could not find user with {parameter}: [{value}].",
        "type": _PROBLEM + "resource-not-found",
    }
    return Answer(200, {"errors": [error]})


def _suspended(parameter: str, value: str) -> Answer:
    error = {
        "value": value,
        "parameter": parameter,
        "resource_type": "user",
        "title": "Forbidden",
        "detail": f"User has been suspended: [{value}].",
        "type": _PROBLEM + "resource-not-found",
    }
    return Answer(200, {"errors": [error]})


def main() -> None:
    """Serves until interrupted."""
    options = argparse.ArgumentParser(description="A local stand-in for the X API.")
    options.add_argument("--port", type=int, default=8899)
    options.add_argument("--limited-seconds", type=int, default=30)
    chosen = options.parse_args()
    server = XApiServer(chosen.port, limited_seconds=chosen.limited_seconds)
    print(f"X API stand-in at {server.url}, token {TOKEN!r}", flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main()
