"""X's API, version 2: tokens, posts, and a look at the account's own posts."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botfactory import net
from botfactory.words.translatable import mark
from publishing.networks import oauth
from publishing.networks.answers import Api, Reply, refused
from publishing.networks.base import (
    Access,
    Connected,
    Later,
    LoggedOut,
    NotAccepted,
    Outgoing,
    Poster,
    Published,
    Unclear,
    text_of,
)
from publishing.networks.x.lengths import LONGEST, without_links

TOKEN_PATH: Final = "/2/oauth2/token"
_NAME: Final = "X"
#: Posts of the account that are looked through, in two pages, and how far clocks may differ.
_PAGE: Final = 100
_PAGES: Final = 2
_CLOCKS: Final = timedelta(minutes=5)
#: Nothing else can be sent until the operator has paid.
_WITHOUT_CREDITS: Final = timedelta(minutes=30)
_MADE_WITH_AI: Final = "made_with_ai"


def connect_without_browser(client: net.Client, entered: Mapping[str, str]) -> Connected:
    """Refuse: X lets nobody in without its own page."""
    raise ValueError(mark("X can only be connected in the browser: on the bot’s page, Publish, Where."))


def connect(client: net.Client, app: oauth.App, tokens: Mapping[str, str], entered: Mapping[str, str]) -> Connected:
    """Ask whose tokens these are. Raises any NetworkError."""
    reply = Api(client, app.server, name=_NAME).ask("GET", "/2/users/me", token=tokens["access"])
    _require_credits(reply)
    user = _data(reply)
    handle = text_of(user, "username")
    if not text_of(user, "id") or not handle:
        raise Unclear(_unreadable())
    return Connected(
        remote_id=text_of(user, "id"),
        handle=f"@{handle}",
        address=f"https://x.com/{handle}",
        server="x.com",
        longest=LONGEST,
        is_marked=bool(entered.get("is_marked")),
        # X doesn't say whether the account is marked: the person does.
        credentials={**tokens, "is_marked": "yes" if entered.get("is_marked") else ""},
    )


class XPoster(Poster):
    def __init__(self, access: Access, consent: oauth.Consent) -> None:
        self._consent, self._client, self._keep = consent, access.client, access.keep
        self._id, self._handle = access.remote_id, access.handle.lstrip("@")
        self._credentials = dict(access.credentials)
        self._app = access.app

    def is_marked(self) -> bool:
        """Return whether the person has said so. What keeps us from sending is found here, before anything is sent."""
        self._our_app()
        self._token()
        return self._credentials.get("is_marked") == "yes"

    def mark(self) -> None:
        raise NotAccepted(mark("X lets only you do that. Mark it there, then connect the account again."))

    def publish(self, post: Outgoing) -> Published:
        body: dict[str, Any] = {"text": post.text, _MADE_WITH_AI: True}
        reply = self._reply("POST", "/2/tweets", body=body)
        if reply.status == 400 and _MADE_WITH_AI in str(reply.data):
            # It isn't published. Not every app may set X's own mark; the label in the text is always there.
            reply = self._reply("POST", "/2/tweets", body={"text": post.text})
        if reply.status == 403 and "duplicate" in _words(reply).lower():
            if (found := self.find(post)) is not None:
                return found
            raise NotAccepted(mark("X says that the account has posted the same already. Edit the post."))
        remote_id = text_of(_data(reply), "id")
        if not remote_id:
            raise Unclear(_unreadable())
        return self._published(remote_id)

    def find(self, post: Outgoing) -> Published | None:
        """Look for the post among the newest of the account: the same words, not older than the first try."""
        since = (post.began_at - _CLOCKS).astimezone(UTC)
        query: dict[str, Any] = {
            "max_results": _PAGE,
            "start_time": since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "exclude": "retweets",
        }
        for _page in range(_PAGES):
            reply = self._reply("GET", f"/2/users/{self._id}/tweets", query=query)
            if reply.status >= 400:
                raise refused(_NAME, reply, _words(reply))
            if not isinstance(reply.data, dict):
                raise Unclear(_unreadable())
            tweets = reply.data.get("data") or []
            if not isinstance(tweets, list):
                raise Unclear(_unreadable())
            for tweet in tweets:
                remote_id = text_of(tweet, "id")
                if remote_id not in post.known and _same(text_of(tweet, "text"), post.text):
                    return self._published(remote_id)
            following = text_of(reply.data.get("meta"), "next_token")
            if not following:
                return None
            query["pagination_token"] = following
        raise Unclear(mark("The account has posted so much since then that we can’t see whether this post is there."))

    def delete(self, remote_id: str) -> None:
        reply = self._reply("DELETE", f"/2/tweets/{remote_id}")
        if reply.status not in (200, 404):
            raise refused(_NAME, reply, _words(reply))

    def _published(self, remote_id: str) -> Published:
        return Published(remote_id, f"https://x.com/{self._handle}/status/{remote_id}")

    def _reply(self, method: str, path: str, **what: Any) -> Reply:
        """Return the reply. A token that isn't accepted is renewed first: a request with such a one does nothing."""
        api = Api(self._client, self._our_app().server, name=_NAME)
        reply = api.ask(method, path, token=self._token(), **what)
        if reply.status == 401:
            self._renew()
            reply = api.ask(method, path, token=self._credentials["access"], **what)
        _require_credits(reply)
        return reply

    def _token(self) -> str:
        until = self._credentials.get("until")
        if until and int(until) < time.time() + oauth.SOON:
            self._renew()
        return self._credentials["access"]

    def _renew(self) -> None:
        if not self._credentials["refresh"]:
            raise LoggedOut(oauth.locked_out(_NAME))
        app = self._our_app()
        self._credentials |= oauth.renewed(
            self._client, self._consent, app, name=_NAME, refresh=self._credentials["refresh"]
        )
        # At once: the old refresh token is used up.
        self._keep(self._credentials)

    def _our_app(self) -> oauth.App:
        if self._app is None:
            raise NotAccepted(mark("The operator of this server has removed the keys for X, so nothing can be sent."))
        return self._app


def _require_credits(reply: Reply) -> None:
    said = f"{text_of(reply.data, 'title')} {_words(reply)}".lower()
    if reply.status == 402 or (reply.status == 403 and "credit" in said):
        why = mark("The operator of this server has no credits left at X. Posts wait until there are some.")
        raise Later(why, datetime.now(UTC) + _WITHOUT_CREDITS)


def _data(reply: Reply) -> Any:
    if reply.status >= 400:
        raise refused(_NAME, reply, _words(reply))
    return reply.data.get("data") if isinstance(reply.data, Mapping) else None


def _words(reply: Reply) -> str:
    """Return what X says about a refusal."""
    errors = reply.data.get("errors") if isinstance(reply.data, Mapping) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return text_of(first, "message") or text_of(reply.data, "detail") or text_of(reply.data, "title")


def _same(theirs: str, ours: str) -> bool:
    """Return whether a post on X has this text. X writes some characters as in HTML, and replaces links."""
    return without_links(html.unescape(theirs)) == without_links(ours)


def _unreadable() -> str:
    return mark("The server’s answer can’t be read.")
