"""Bluesky's XRPC: sessions, records of posts, and the label `bot` of a profile.

Logins are limited to about a hundred a day, so a session is kept and refreshed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from botfactory import net
from botfactory.words.translatable import mark
from publishing.networks.answers import Api, Reply, refused, server_in
from publishing.networks.base import (
    Access,
    Connected,
    LoggedOut,
    NotAccepted,
    Outgoing,
    Poster,
    Published,
    Unclear,
    text_of,
)

LONGEST: Final = 300
_NAME: Final = "Bluesky"
_POST: Final = "app.bsky.feed.post"
_PROFILE: Final = "app.bsky.actor.profile"
_LABELS: Final = "com.atproto.label.defs#selfLabels"
#: Errors that mean that a token is used up. The password may still be right.
_EXPIRED: Final = frozenset({"ExpiredToken", "InvalidToken"})
#: Errors of a login that mean that these credentials don't open the account.
_WRONG: Final = frozenset({"AuthenticationRequired", "AuthFactorTokenRequired", "AccountTakedown", "InvalidToken"})
_LOGIN_AGAIN: Final = mark(
    "Bluesky doesn’t accept the app password any more. Make a new one there, and connect the account again."
)


def connect(client: net.Client, entered: Mapping[str, str]) -> Connected:
    """Log in with a handle and an app password. Raises ValueError with a sentence, and any NetworkError."""
    server = server_in(entered.get("server", "") or "https://bsky.social")
    identifier = entered.get("identifier", "").strip().lstrip("@")
    password = entered.get("password", "").strip()
    if not identifier or not password:
        raise ValueError(mark("Enter the handle and an app password."))
    wrong = mark("Bluesky doesn’t know this handle with this app password. Check both.")
    session = _logged_in(Api(client, server, name=_NAME), identifier, password, wrong=wrong)
    did, handle = text_of(session, "did"), text_of(session, "handle")
    credentials = {"server": server, "password": password, **_tokens(session)}
    poster = BlueskyPoster(Access(client, did, handle, credentials, lambda changed: None))
    return Connected(
        remote_id=did,
        handle=handle,
        address=f"https://bsky.app/profile/{handle}",
        server=server,
        longest=LONGEST,
        is_marked=poster.is_marked(),
        credentials=credentials,
    )


class BlueskyPoster(Poster):
    def __init__(self, access: Access) -> None:
        self._did, self._handle, self._keep = access.remote_id, access.handle, access.keep
        self._credentials = dict(access.credentials)
        self._api = Api(access.client, self._credentials["server"], name=_NAME)

    def is_marked(self) -> bool:
        return "bot" in _labels(self._profile().get("value"))

    def mark(self) -> None:
        profile = self._profile()
        record = profile.get("value") or {"$type": _PROFILE}
        values = [{"val": name} for name in dict.fromkeys([*_labels(record), "bot"])]
        body = {
            "repo": self._did,
            "collection": _PROFILE,
            "rkey": "self",
            "record": {**record, "labels": {"$type": _LABELS, "values": values}},
            # Whoever changes the profile at the same moment loses nothing.
            "swapRecord": profile.get("cid"),
        }
        self._ask("POST", "com.atproto.repo.putRecord", body=body)

    def publish(self, post: Outgoing) -> Published:
        moment = post.began_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record: dict[str, Any] = {"$type": _POST, "text": post.text, "createdAt": moment}
        if post.language:
            record["langs"] = [post.language]
        body = {"repo": self._did, "collection": _POST, "rkey": post.key, "record": record}
        said = self._ask("POST", "com.atproto.repo.putRecord", body=body)
        if not text_of(said, "uri"):
            raise Unclear(mark("Bluesky’s answer can’t be read."))
        return self._published(post.key)

    def find(self, post: Outgoing) -> Published | None:
        return self._published(post.key) if self._record(_POST, post.key) else None

    def delete(self, remote_id: str) -> None:
        body = {"repo": self._did, "collection": _POST, "rkey": remote_id}
        self._ask("POST", "com.atproto.repo.deleteRecord", body=body)

    def _published(self, key: str) -> Published:
        return Published(key, f"https://bsky.app/profile/{self._handle or self._did}/post/{key}")

    def _profile(self) -> dict[str, Any]:
        return self._record(_PROFILE, "self")

    def _record(self, collection: str, key: str) -> dict[str, Any]:
        """Return a record of the account, empty if there is none."""
        query = {"repo": self._did, "collection": collection, "rkey": key}
        reply = self._reply("GET", "com.atproto.repo.getRecord", query=query)
        if reply.status == 400 and text_of(reply.data, "error") == "RecordNotFound":
            return {}
        found = _checked(reply)
        if not isinstance(found.get("value"), dict):
            raise Unclear(mark("Bluesky’s answer can’t be read."))
        return found

    def _ask(self, method: str, name: str, **what: Any) -> dict[str, Any]:
        return _checked(self._reply(method, name, **what))

    def _reply(self, method: str, name: str, **what: Any) -> Reply:
        """Return the reply of the account's server. A used-up session is renewed first, which does nothing twice."""
        reply = self._api.ask(method, f"/xrpc/{name}", token=self._credentials["access"], **what)
        if reply.status in (400, 401) and text_of(reply.data, "error") in _EXPIRED:
            self._renew()
            reply = self._api.ask(method, f"/xrpc/{name}", token=self._credentials["access"], **what)
        if reply.status == 401:
            raise LoggedOut(_LOGIN_AGAIN)
        return reply

    def _renew(self) -> None:
        renewed = self._api.ask("POST", "/xrpc/com.atproto.server.refreshSession", token=self._credentials["refresh"])
        if renewed.status == 200 and isinstance(renewed.data, dict):
            session = renewed.data
        else:
            session = _logged_in(self._api, self._did, self._credentials["password"], wrong=_LOGIN_AGAIN)
        self._credentials |= _tokens(session)
        self._keep(self._credentials)


def _logged_in(api: Api, identifier: str, password: str, *, wrong: str) -> dict[str, Any]:
    body = {"identifier": identifier, "password": password}
    reply = api.ask("POST", "/xrpc/com.atproto.server.createSession", body=body)
    if reply.status == 401 or (reply.status == 400 and text_of(reply.data, "error") in _WRONG):
        raise LoggedOut(wrong)
    session = _checked(reply)
    if not all(text_of(session, name) for name in ("did", "handle", "accessJwt", "refreshJwt")):
        raise Unclear(mark("Bluesky’s answer can’t be read."))
    return session


def _tokens(session: Mapping[str, Any]) -> dict[str, str]:
    return {"access": text_of(session, "accessJwt"), "refresh": text_of(session, "refreshJwt")}


def _labels(record: Any) -> list[str]:
    """Return the labels that an account gives itself in its profile."""
    labels = record.get("labels") if isinstance(record, Mapping) else None
    values = labels.get("values") if isinstance(labels, Mapping) else None
    return [name for value in values if (name := text_of(value, "val"))] if isinstance(values, list) else []


def _checked(reply: Reply) -> dict[str, Any]:
    """Return the object that an accepted request answers with. Raises NotAccepted for a refused one."""
    if reply.status >= 400:
        error: NotAccepted = refused(_NAME, reply, text_of(reply.data, "message") or text_of(reply.data, "error"))
        raise error
    if not isinstance(reply.data, dict):
        raise Unclear(mark("Bluesky’s answer can’t be read."))
    return reply.data
