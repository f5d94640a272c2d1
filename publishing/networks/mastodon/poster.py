"""Mastodon's API: the account, its posts, and its mark of a bot."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botfactory import net
from botfactory.words.translatable import Sentence, mark
from publishing.networks import oauth
from publishing.networks.answers import Api, Reply, refused, server_in
from publishing.networks.base import Access, Connected, LoggedOut, Outgoing, Poster, Published, Unclear, text_of

#: What a server without an answer about itself allows, as all do by default.
LONGEST: Final = 500
#: Read whose account it is and its posts, mark it as a bot, post.
SCOPES: Final = "read:accounts read:statuses write:accounts write:statuses"
_NAME: Final = "Mastodon"
#: Posts of the account that are looked through, in two pages, and how far clocks may differ.
_PAGE: Final = 40
_PAGES: Final = 2
_CLOCKS: Final = timedelta(minutes=5)
_BREAK: Final = re.compile(r"<br\s*/?>|</p>\s*<p>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]*>")


def connect(client: net.Client, entered: Mapping[str, str]) -> Connected:
    """Try the token and ask the server about itself. Raises ValueError with a sentence, and any NetworkError."""
    server = server_in(entered.get("server", ""))
    token = entered.get("token", "").strip()
    if not token:
        raise ValueError(mark("Enter the access token of your application."))
    api = Api(client, server, name=_NAME)
    wrong = mark("%(server)s doesn’t accept this access token. Copy it again from your application there.")
    return _connected(api, server, token, wrong=Sentence(wrong, server=server.partition("://")[2]))


def connect_by_consent(
    client: net.Client, app: oauth.App, tokens: Mapping[str, str], entered: Mapping[str, str]
) -> Connected:
    """Ask whose token this is. Raises any NetworkError."""
    return _connected(Api(client, app.server, name=_NAME), app.server, tokens["access"])


def register(client: net.Client, server: str, callback: str) -> oauth.App:
    """Make an application at a server. Raises any NetworkError."""
    body = {"client_name": "Bot Factory", "redirect_uris": callback, "scopes": SCOPES}
    made = _checked(Api(client, server, name=_NAME).ask("POST", "/api/v1/apps", body=body))
    client_id, client_secret = text_of(made, "client_id"), text_of(made, "client_secret")
    if not client_id or not client_secret:
        raise Unclear(mark("This server doesn’t answer like a Mastodon server. Check its address."))
    return oauth.App(server, client_id, client_secret, callback)


def _connected(api: Api, server: str, token: str, *, wrong: str = "") -> Connected:
    account = _checked(api.ask("GET", "/api/v1/accounts/verify_credentials", token=token), wrong=wrong)
    about = api.ask("GET", "/api/v2/instance").data
    return Connected(
        remote_id=text_of(account, "id"),
        handle=f"{text_of(account, 'username')}@{server.partition('://')[2]}",
        address=_web(text_of(account, "url")),
        server=server,
        longest=_longest(about),
        is_marked=account.get("bot") is True,
        credentials={"server": server, "token": token},
        rules=_rules(about),
    )


class MastodonPoster(Poster):
    def __init__(self, access: Access) -> None:
        self._id = access.remote_id
        self._token = access.credentials["token"]
        self._api = Api(access.client, access.credentials["server"], name=_NAME)

    def is_marked(self) -> bool:
        return self._ask("GET", "/api/v1/accounts/verify_credentials").get("bot") is True

    def mark(self) -> None:
        self._ask("PATCH", "/api/v1/accounts/update_credentials", body={"bot": True})

    def publish(self, post: Outgoing) -> Published:
        body: dict[str, Any] = {"status": post.text, "visibility": "unlisted"}
        if post.language:
            body["language"] = post.language
        said = self._ask("POST", "/api/v1/statuses", body=body, headers={"Idempotency-Key": post.key})
        if not text_of(said, "id"):
            raise Unclear(_unreadable())
        return _published(said)

    def find(self, post: Outgoing) -> Published | None:
        """Look for the post among the newest of the account: the same words, not older than the first try."""
        before = ""
        for _page in range(_PAGES):
            query: dict[str, Any] = {"exclude_reblogs": "true", "limit": _PAGE}
            if before:
                query["max_id"] = before
            reply = self._reply("GET", f"/api/v1/accounts/{self._id}/statuses", query=query)
            if reply.status >= 400:
                raise refused(_NAME, reply, text_of(reply.data, "error"))
            if not isinstance(reply.data, list):
                raise Unclear(_unreadable())
            for status in reply.data:
                created = _moment(text_of(status, "created_at"))
                if created is not None and created < post.began_at - _CLOCKS:
                    return None
                if text_of(status, "id") not in post.known and _same(text_of(status, "content"), post.text):
                    return _published(status)
            if len(reply.data) < _PAGE:
                return None
            before = text_of(reply.data[-1], "id")
        raise Unclear(mark("The account has posted so much since then that we can’t see whether this post is there."))

    def delete(self, remote_id: str) -> None:
        reply = self._reply("DELETE", f"/api/v1/statuses/{remote_id}")
        if reply.status not in (200, 404, 410):
            raise refused(_NAME, reply, text_of(reply.data, "error"))

    def _ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        return _checked(self._reply(method, path, **what))

    def _reply(self, method: str, path: str, **what: Any) -> Reply:
        reply = self._api.ask(method, path, token=self._token, **what)
        if reply.status == 401:
            raise LoggedOut(mark("The server doesn’t let us in any more. Connect the account again."))
        return reply


def _checked(reply: Reply, *, wrong: str = "") -> dict[str, Any]:
    if reply.status == 401 and wrong:
        raise LoggedOut(wrong)
    if reply.status >= 400:
        raise refused(_NAME, reply, text_of(reply.data, "error"))
    if not isinstance(reply.data, dict):
        raise Unclear(_unreadable())
    return reply.data


def _unreadable() -> str:
    return mark("The server’s answer can’t be read.")


def _published(status: Any) -> Published:
    return Published(text_of(status, "id"), _web(text_of(status, "url")))


def _web(address: str) -> str:
    """Return the address if a page may link to it, else ""."""
    return address if address.startswith(("https://", "http://")) else ""


def _longest(about: Any) -> int:
    for name in ("configuration", "statuses"):
        about = about.get(name) if isinstance(about, Mapping) else None
    found = about.get("max_characters") if isinstance(about, Mapping) else None
    return found if isinstance(found, int) and 0 < found <= 100_000 else LONGEST


def _rules(about: Any) -> tuple[str, ...]:
    rules = about.get("rules") if isinstance(about, Mapping) else None
    texts = [text_of(rule, "text") for rule in rules] if isinstance(rules, list) else []
    return tuple(text[:500] for text in texts[:30] if text)


def _same(content: str, text: str) -> bool:
    """Return whether the HTML of a post has this text. Servers change spaces and line ends, but no words."""
    plain = html.unescape(_TAG.sub("", _BREAK.sub("\n", content)))
    return plain.split() == text.split()


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
