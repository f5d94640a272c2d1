"""X's API for posts, as docs.x.com describes it, on this machine: tokens, posts, an account's own posts, faults."""

from __future__ import annotations

import html
import itertools
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.fakes.consents import Consents
from tests.fakes.posting_servers import PostingServer
from tests.fakes.server import Answer

CLIENT_ID, CLIENT_SECRET = "client-of-x", "secret-of-x"


class XServer(PostingServer):
    """Refuses what it has already. `refusals` are answers to the next requests that post."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.tweets: dict[str, dict[str, Any]] = {}
        self.refusals: list[Answer] = []
        self.session = 0
        self.consents = Consents("access-0", invalid=("invalid_request", "Value passed for the token was invalid."))
        self.takes_mark = True
        self._numbers = itertools.count(1_000_000)

    @property
    def posts(self) -> list[str]:
        return [tweet["sent"]["text"] for tweet in self.tweets.values()]

    def forget_posts(self) -> None:
        self.tweets.clear()

    def connect_app(self, callback: str) -> None:
        """Do what the operator does in X's developer console."""
        scope = "tweet.read tweet.write users.read offline.access"
        app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": callback, "scope": scope}
        self.consents.apps[CLIENT_ID] = app

    def expire(self) -> None:
        """Let the access token end before its time."""
        self.session += 1
        self.consents.token = f"access-{self.session}"

    def answered(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], sent: dict[str, Any]
    ) -> Answer:
        if path == "/2/oauth2/token":
            return self._with_end(self.consents.tokens(sent, headers))
        if headers.get("authorization") != f"Bearer {self.consents.token}" or self.is_logged_out:
            return self.unknown()
        if path == "/2/users/me":
            return Answer(200, {"data": {"id": "42", "username": "a_bot", "name": "A bot"}})
        if path == "/2/users/42/tweets":
            return self._own(query)
        if method == "DELETE":
            there = self.tweets.pop(path.rpartition("/")[2], None)
            return Answer(200, {"data": {"deleted": True}}) if there else Answer(404, {"title": "Not Found Error"})
        assert (method, path) == ("POST", "/2/tweets"), (method, path)
        if self.refusals:
            return self.refusals.pop(0)
        if "made_with_ai" in sent and not self.takes_mark:
            words = "The property [$.made_with_ai] is not defined in the schema"
            return Answer(400, {"title": "Invalid Request", "errors": [{"message": words}]})
        if sent["text"] in self.posts:
            words = "You are not allowed to create a Tweet with duplicate content."
            return Answer(403, {"title": "Forbidden", "detail": words, "type": "about:blank", "status": 403})
        return self.publishing(lambda: self._post(sent))

    def unknown(self) -> Answer:
        return Answer(401, {"title": "Unauthorized", "detail": "Unauthorized", "type": "about:blank", "status": 401})

    def _with_end(self, answer: Answer) -> Answer:
        if answer.status == 200:
            answer.body["expires_in"] = 7200
        return answer

    def _post(self, sent: dict[str, Any]) -> Answer:
        with self._lock:
            number = str(next(self._numbers))
            self.tweets[number] = {"sent": sent, "at": self.clock()}
        return Answer(201, {"data": {"id": number, "text": sent["text"]}})

    def _own(self, query: dict[str, str]) -> Answer:
        since = datetime.fromisoformat(query["start_time"])
        found = [
            {
                "id": number,
                "text": re.sub(r"https://\S+", "https://t.co/abc", html.escape(tweet["sent"]["text"], False)),
            }
            for number, tweet in reversed(self.tweets.items())
            if tweet["at"] >= since
        ]
        most, first = int(query["max_results"]), int(query.get("pagination_token", 0))
        more = {"next_token": str(first + most)} if len(found) > first + most else {}
        page = found[first : first + most]
        return Answer(200, {**({"data": page} if page else {}), "meta": {"result_count": len(page), **more}})


def limited(seconds: int) -> Answer:
    """Return the answer to too many posts, with X's header."""
    reset = str(int(time.time()) + seconds)
    return Answer(429, {"title": "Too Many Requests", "status": 429}, {"x-rate-limit-reset": reset})


WITHOUT_CREDITS = {
    "title": "CreditsDepleted",
    "detail": "Your enrolled account does not have any credits to fulfill this request.",
    "type": "https://api.twitter.com/2/problems/credits",
}
