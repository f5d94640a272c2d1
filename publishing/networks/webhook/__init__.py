"""A webhook of the person's own: each post is sent there as a signed message, and what happens then is their code's.

An answer may get lost, so a message can arrive twice, with the same id. A receiver can't be asked whether it has one.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from botfactory import net
from botfactory.webhooks import signature
from botfactory.words.translatable import Sentence, mark
from publishing.networks.answers import USER_AGENT, later
from publishing.networks.base import (
    Access,
    Connected,
    Entry,
    LoggedOut,
    Network,
    NotAccepted,
    Outgoing,
    Poster,
    Published,
    Unclear,
)

#: Receivers have no limit of their own; this is the longest post of a bot.
LONGEST: Final = 4_000
_LONGEST_ADDRESS: Final = 2_000
#: For the look-up of a new address: somebody is waiting.
_LOOKUP_SECONDS: Final = 3.0
#: What says that the address or the secret is wrong, and that there is nothing to recall.
_GONE: Final = (401, 410)
_MISSING: Final = 404


def connect(client: net.Client, entered: Mapping[str, str]) -> Connected:
    """Check the address and make a secret for it. Nothing is sent: the receiver doesn't know the secret yet.

    Raises ValueError with a sentence.
    """
    url = entered.get("url", "").strip()
    if not 0 < len(url) <= _LONGEST_ADDRESS or any(character <= " " for character in url):
        raise ValueError(mark("Enter the address of your receiver, such as https://example.org/posts."))
    try:
        client.check(url)
        leads_inside = client.leads_inside(url, lookup_seconds=_LOOKUP_SECONDS)
    except net.Refused as refusal:
        raise ValueError(refusal.message) from None
    if leads_inside:
        raise ValueError(
            mark(
                "This address is in a private network, so posts can’t be sent there. Use one on the public internet, "
                "or ask your administrator to allow this server (PRIVATE_SERVERS)."
            )
        )
    secret = signature.secret_from(secrets.token_bytes(signature.SECRET_BYTES))
    # The path of an address is often a secret, too, so only the host is shown.
    host = urlsplit(url).netloc.lower()
    return Connected("webhook", host, "", "", LONGEST, True, {"url": url, "secret": secret})


class WebhookPoster(Poster):
    def __init__(self, access: Access) -> None:
        self._client, self._name = access.client, access.handle
        self._url, self._secret = access.credentials["url"], access.credentials["secret"]

    def is_marked(self) -> bool:
        return True

    def mark(self) -> None:
        """Do nothing: each message says that a bot wrote the post."""

    def publish(self, post: Outgoing) -> Published:
        data = {
            "id": post.key,
            "text": post.text,
            "language": post.language or None,
            "ai_generated": True,
            "model": post.model,
        }
        self._send(post.key, "post.publish", post.began_at, data)
        return Published(post.key, "")

    def find(self, post: Outgoing) -> Published | None:
        """Return None: nobody can be asked, so what is still to be sent is sent again, with the same id."""
        return None

    def withdraw(self, post: Outgoing) -> None:
        """Recall it by its id. A receiver that doesn't have it says 404."""
        self.delete(post.key)

    def delete(self, remote_id: str) -> None:
        self._send(f"{remote_id}.recall", "post.recall", datetime.now(UTC), {"id": remote_id}, also=_MISSING)

    def _send(self, message_id: str, kind: str, moment: datetime, data: Mapping[str, Any], *, also: int = 0) -> None:
        """Send a message once; return if the receiver has it. also: another status that is fine."""
        at = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = json.dumps({"type": kind, "timestamp": at, "data": data}, separators=(",", ":")).encode()
        now = int(time.time())
        signed = signature.signature(self._secret, message_id, now, body)
        headers = {"User-Agent": USER_AGENT, **signature.headers(message_id, now, signed)}
        error: Exception
        try:
            answer = self._client.post(self._url, headers, body)
        except net.Refused as refusal:
            error = NotAccepted(refusal.message)
        except net.NetError as trouble:
            error = Unclear(trouble.message)
        else:
            if 200 <= answer.status < 300 or answer.status == also:
                return
            error = _error_of(self._name, answer)
        # Outside of `except`, so that the error has no context, which might show a secret.
        raise error


def _error_of(name: str, answer: net.Answer) -> Exception:
    if answer.status == 429:
        return later(name, answer.headers)
    if answer.status in _GONE:
        said = mark("The receiver answered %(status)s. If it needs another secret or address, connect it again.")
        return LoggedOut(Sentence(said, status=answer.status))
    if 300 <= answer.status < 400:
        said = mark("The answer was %(status)s. Redirects aren’t followed. Enter the address that it redirects to.")
        return NotAccepted(Sentence(said, status=answer.status))
    said = mark("The answer was %(status)s. A receiver must answer with a status from 200 to 299.")
    return (Unclear if answer.status >= 500 else NotAccepted)(Sentence(said, status=answer.status))


def open_account(access: Access) -> Poster:
    return WebhookPoster(access)


NETWORK: Final = Network(
    name="webhook",
    label=mark("Webhook"),
    entries=(
        Entry(
            name="url",
            label=mark("Address of your receiver"),
            hint=mark("Each post is sent there as a signed message. The next page shows the secret to verify it with."),
            example="https://example.org/posts",
        ),
    ),
    connect=connect,
    open=open_account,
    length=len,
    new_key=lambda: secrets.token_hex(16),
    secret="secret",
)
