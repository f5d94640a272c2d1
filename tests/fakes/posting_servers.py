"""Servers on this machine where posts are published: a Bluesky PDS and a Mastodon, with faults before them.

`faults` are taken one after the other by requests that publish. `posts` are what everybody would see.
"""

from __future__ import annotations

import html
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl

from tests.fakes.consents import Consents
from tests.fakes.server import Answer, FakeServer

#: What happens to a request that publishes: it's accepted and the answer breaks off; it's accepted and answered 502; it
#: never gets there; the server asks for a pause, refuses the post, or doesn't know the credentials any more.
#: It may also lead somewhere else.
#: "late": it gets there just before the next one.
Fault = Literal["", "lost answer", "accepted 502", "502", "cut", "429", "refused", "logged out", "moved", "late"]
PASSWORD, TOKEN = "aaaa-bbbb-cccc-dddd", "a-token"
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


class PostingServer(FakeServer, ABC):
    """Takes the next fault for each request that publishes."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.faults: list[Fault] = []
        self.is_marked = True
        self.is_logged_out = False
        self.is_down = False
        self.retry_after = "120"
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._bodies = threading.local()
        self._late: list[Any] = []

    def _serve(self, handler: Any) -> None:
        # `answer` doesn't get the method or the body.
        length = int(handler.headers.get("Content-Length") or 0)
        data = handler.rfile.read(length)
        handler.rfile = _Again(data)
        self._bodies.method = handler.command
        is_form = handler.headers.get("Content-Type") == "application/x-www-form-urlencoded"
        self._bodies.sent = dict(parse_qsl(data.decode())) if is_form else json.loads(data) if data else {}
        super()._serve(handler)

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if self.is_down:
            return Answer(502, "Bad gateway")
        return self.answered(self._bodies.method, path, query, headers, self._bodies.sent)

    @abstractmethod
    def answered(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], sent: dict[str, Any]
    ) -> Answer:
        """Answer a request, with what was sent as an object."""

    @property
    @abstractmethod
    def posts(self) -> list[str]:
        """What everybody would see."""

    @abstractmethod
    def forget_posts(self) -> None:
        """Begin with an empty account, whose next posts have other ids."""

    def publishing(self, accept: Any) -> Answer:
        """Answer a request that publishes. `accept` publishes and returns the answer."""
        with self._lock:
            fault = self.faults.pop(0) if self.faults else ""
            late, self._late = self._late, [accept] if fault == "late" else []
        for arrives in late:
            arrives()
        if fault == "lost answer":
            accepted: Answer = accept()
            accepted.cut = True
            return accepted
        if fault == "accepted 502":
            accept()
        if fault in ("502", "accepted 502"):
            return Answer(502, "Bad gateway")
        if fault in ("cut", "late"):
            return Answer(200, {"nothing": "of this arrives"}, cut=True)
        if fault == "429":
            return Answer(429, {"error": "RateLimitExceeded"}, {"Retry-After": self.retry_after})
        if fault == "moved":
            return Answer(308, "", {"Location": "https://example.org/"})
        if fault == "refused":
            return Answer(422, {"error": "Validation failed: no thanks", "message": "no thanks"})
        if fault == "logged out":
            self.is_logged_out = True
            return self.unknown()
        answer: Answer = accept()
        return answer

    def unknown(self) -> Answer:
        return Answer(401, {"error": "AuthenticationRequired", "message": "Invalid identifier or password"})


class _Again:
    """The body of a request, to be read a second time."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, length: int) -> bytes:
        return self._data[:length]

    def close(self) -> None:
        pass


class BlueskyPds(PostingServer):
    """Keeps records by collection and key, as a PDS does. A write with a known key replaces the record."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.records: dict[tuple[str, str], dict[str, Any]] = {}
        self.logins = 0
        self.session = 0
        self.are_sessions_over = False

    @property
    def posts(self) -> list[str]:
        return [record["text"] for (name, _), record in self.records.items() if name == "app.bsky.feed.post"]

    def forget_posts(self) -> None:
        self.records.clear()

    def expire(self) -> None:
        """Let the access token expire."""
        self.session += 1

    def answered(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], sent: dict[str, Any]
    ) -> Answer:
        name = path.removeprefix("/xrpc/com.atproto.")
        if name == "server.createSession":
            if sent.get("password") != PASSWORD or self.is_logged_out:
                return self.unknown()
            self.logins += 1
            self.are_sessions_over = False
            return self._session()
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if name == "server.refreshSession":
            if token != f"refresh-{self.session - 1}" or self.are_sessions_over or self.is_logged_out:
                return Answer(400, {"error": "ExpiredToken", "message": "Token has been revoked"})
            return self._session()
        if token != f"access-{self.session}" or self.is_logged_out:
            return Answer(400, {"error": "ExpiredToken", "message": "Token has expired"})
        if name == "repo.getRecord":
            return self._record(query["collection"], query["rkey"])
        if name == "repo.putRecord" and sent["collection"] == "app.bsky.feed.post":
            return self.publishing(lambda: self._put(sent))
        if name == "repo.putRecord":
            return self._put(sent)
        assert name == "repo.deleteRecord", name
        self.records.pop((sent["collection"], sent["rkey"]), None)
        return Answer(200, {})

    def _session(self) -> Answer:
        tokens = {"accessJwt": f"access-{self.session}", "refreshJwt": f"refresh-{self.session}"}
        return Answer(200, {"did": DID, "handle": "bot.test", **tokens})

    def _record(self, collection: str, key: str) -> Answer:
        if (collection, key) == ("app.bsky.actor.profile", "self") and (collection, key) not in self.records:
            labels = {"labels": {"values": [{"val": "bot"}]}} if self.is_marked else {}
            return Answer(200, {"cid": "cid-0", "value": {"$type": collection, "displayName": "Bot", **labels}})
        record = self.records.get((collection, key))
        if record is None:
            return Answer(400, {"error": "RecordNotFound", "message": "Could not locate record"})
        return Answer(200, {"uri": f"at://{DID}/{collection}/{key}", "cid": "cid-1", "value": record})

    def _put(self, sent: dict[str, Any]) -> Answer:
        self.records[sent["collection"], sent["rkey"]] = sent["record"]
        return Answer(200, {"uri": f"at://{DID}/{sent['collection']}/{sent['rkey']}", "cid": "cid-1"})


class Mastodon(PostingServer):
    """Keeps statuses, and for an hour what it answered to each Idempotency-Key."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.statuses: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[str, datetime]] = {}
        self.visibilities: list[str] = []
        self.consents = Consents(TOKEN)

    @property
    def posts(self) -> list[str]:
        return [status["text"] for status in self.statuses.values()]

    def forget_posts(self) -> None:
        self.statuses.clear()

    def forget_keys(self) -> None:
        """Forget the keys, as servers do after an hour."""
        self.answers.clear()

    def answered(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], sent: dict[str, Any]
    ) -> Answer:
        if path == "/api/v2/instance":
            rules = [{"id": "1", "text": "Be kind."}]
            return Answer(200, {"configuration": {"statuses": {"max_characters": 400}}, "rules": rules})
        if path == "/api/v1/apps":
            return self.consents.register(sent)
        if path == "/oauth/token":
            return self.consents.tokens(sent, headers)
        if headers.get("authorization") != f"Bearer {TOKEN}" or self.is_logged_out:
            return Answer(401, {"error": "The access token is invalid"})
        if path == "/api/v1/accounts/verify_credentials":
            return Answer(200, {"id": "7", "username": "bot", "url": f"{self.url}/@bot", "bot": self.is_marked})
        if path == "/api/v1/accounts/update_credentials":
            self.is_marked = sent["bot"]
            return Answer(200, {"id": "7", "bot": self.is_marked})
        if path == "/api/v1/accounts/7/statuses":
            newest = sorted(self.statuses.values(), key=lambda status: -int(status["id"]))
            return Answer(
                200, [status for status in newest if int(status["id"]) < int(query.get("max_id", 10**9))][:40]
            )
        if method == "DELETE":
            return Answer(200 if self.statuses.pop(path.rpartition("/")[2], None) else 404, {})
        assert (method, path) == ("POST", "/api/v1/statuses"), (method, path)
        return self.publishing(lambda: self._post(sent, headers["idempotency-key"]))

    def _post(self, sent: dict[str, Any], key: str) -> Answer:
        with self._lock:
            if key not in self.answers or self.clock() - self.answers[key][1] > timedelta(hours=1):
                number = str(len(self.visibilities) + 100)
                paragraphs = "<br>".join(html.escape(line) for line in sent["status"].split("\n"))
                self.visibilities.append(sent["visibility"])
                self.answers[key] = number, self.clock()
                self.statuses[number] = {
                    "id": number,
                    "url": f"{self.url}/@bot/{number}",
                    "content": f"<p>{paragraphs}</p>",
                    "text": sent["status"],
                    "created_at": self.clock().isoformat(),
                }
            return Answer(200, self.statuses.get(self.answers[key][0], {}))

    def unknown(self) -> Answer:
        return Answer(401, {"error": "The access token is invalid"})


class PostReceiver(PostingServer):
    """Somebody's webhook: keeps the messages by their ids, so one that arrives again changes nothing."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.kept: dict[str, dict[str, Any]] = {}
        self.recalled: list[str] = []

    @property
    def posts(self) -> list[str]:
        return [data["text"] for data in self.kept.values()]

    def forget_posts(self) -> None:
        self.kept.clear()

    def answered(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], sent: dict[str, Any]
    ) -> Answer:
        if sent["type"] == "post.recall":
            self.recalled.append(headers["webhook-id"])
            return Answer(200 if self.kept.pop(sent["data"]["id"], None) else 404, "")
        answer = self.publishing(lambda: self._take(headers["webhook-id"], sent["data"]))
        # Only the status counts, so an answer is lost as a whole.
        return Answer(0, "") if answer.cut else answer

    def _take(self, message_id: str, data: dict[str, Any]) -> Answer:
        self.kept[message_id] = data
        return Answer(202, "")
