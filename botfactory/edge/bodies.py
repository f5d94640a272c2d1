"""Limit request bodies while they arrive: their size, their time, and how many at once, depending on the sender.

This happens outside Django, which reads the whole body before it checks anything. A refused request goes on to Django
without its body and with the reason in the scope. `refusals` answers it, so the answer has the usual headers and shape.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from channels.db import database_sync_to_async
from django.conf import settings
from django.http.cookie import parse_cookie

from botfactory.accounts.identity import user_of
from botfactory.edge.senders import network_of
from botfactory.outages.refusal import Refusal
from botfactory.rest.errors import SENTENCES
from botfactory.words.translatable import Sentence, mark

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: The key in the scope of a refused request. Its value is a Refusal.
REFUSAL: Final = "botfactory.outages.refusal"
_MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of a body. Sizes in bytes, times in seconds."""

    #: Without a sign-in.
    stranger_bytes: int = 256 * 1024
    stranger_seconds: float = 60
    #: Signed in: JSON and forms without a file.
    person_bytes: int = 13 * _MB
    #: Signed in: forms with files, including their other fields.
    upload_bytes: int = 4096 * _MB
    upload_seconds: float = 12 * 3600
    #: A body that pauses longer than this, or is slower than this after the first seconds, is refused.
    silence_seconds: float = 60
    first_seconds: float = 30
    bytes_a_second: float = 8 * 1024
    #: A body that arrives within this time isn't counted.
    quick_seconds: float = 1
    held_by_address: int = 32
    held_by_person: int = 16
    #: How long the rest of a refused body is read and discarded, so that the sender can read the answer.
    linger_seconds: float = 3

    @classmethod
    def of_settings(cls) -> Bounds:
        form = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + _MB
        return cls(person_bytes=form, upload_bytes=settings.MAX_UPLOAD_MB * _MB + form)


class BoundedBodies:
    """Wraps an ASGI application for HTTP and limits the bodies of its requests."""

    def __init__(self, inner: Any, bounds: Bounds | None = None) -> None:
        self.inner = inner
        self.bounds = bounds or Bounds.of_settings()
        #: The number of slow bodies that each address and each person is sending to this process.
        self.held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if b"transfer-encoding" not in headers and length.lstrip(b"0") == b"":
            await self.inner(scope, receive, send)
            return
        body = _Body(self, scope, headers, int(length or 0), receive, send)
        try:
            await self.inner(scope, body.receive, body.send)
        finally:
            body.let_go()


class _Body:
    """A body that is arriving."""

    def __init__(
        self,
        bodies: BoundedBodies,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        announced: int,
        receive: Receive,
        send: Send,
    ) -> None:
        self.bounds, self.held = bodies.bounds, bodies.held
        self.scope, self.headers, self.announced = scope, headers, announced
        self._receive, self._send = receive, send
        self.begun = self.heard = time.monotonic()
        self.size = 0
        self.is_whole = self.is_refused = False
        self.slot: str | None = None
        #: The sender's id, once it was needed; None for a stranger.
        self.person: Any = None
        self.is_identified = False
        self.answering, self.drained = asyncio.Event(), asyncio.Event()

    async def receive(self) -> Message:
        if self.is_refused:
            return await self._throw_away()
        if self.is_whole:
            return await self._receive()
        refusal = await self._too_large(max(self.size, self.announced))
        message = None if refusal else await self._next()
        if refusal is None and message is None and self.slot is None:
            refusal = await self._no_slot()
            message = None if refusal else await self._next()
        if refusal is None and message is None:
            refusal = Refusal(408, SENTENCES[408][0], str(SENTENCES[408][1]))
        if refusal is None and message is not None and message["type"] == "http.request":
            self.heard = time.monotonic()
            self.size += len(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
            refusal = await self._too_large(self.size)
        if self.is_whole or refusal:
            self.let_go()
        if refusal is not None:
            return self._refused(refusal)
        assert message is not None
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on. For a refused sender, keep reading until they have all of it, then close."""
        if self.is_refused and message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            await self._send(message)
            self.answering.set()
        elif self.is_refused and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.bounds.linger_seconds):
                    await self.drained.wait()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._send(message)

    def let_go(self) -> None:
        """Stop counting this body."""
        if self.slot is not None:
            self.held[self.slot] -= 1
            if self.held[self.slot] <= 0:
                del self.held[self.slot]
            self.slot = None

    def _refused(self, refusal: Refusal) -> Message:
        """Note the refusal, and end the body for Django."""
        self.is_refused = True
        self.scope[REFUSAL] = refusal
        if self.is_whole or refusal.status != 413:
            self.drained.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _throw_away(self) -> Message:
        """Read and discard the rest until the sender is gone or has the answer.

        Wait until the answer begins. Otherwise a sender that waits for "100 Continue" would be told to continue.
        """
        await self.answering.wait()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.drained.set()
                return message
            if not message.get("more_body", False):
                self.drained.set()

    async def _next(self) -> Message | None:
        """Return the next part, or None after a timeout. The first timeout means that the body now needs a slot."""
        bounds = self.bounds
        if self.slot is None:
            until = self.begun + bounds.quick_seconds
        else:
            is_small = max(self.size, self.announced) <= bounds.stranger_bytes
            whole = bounds.stranger_seconds if is_small else bounds.upload_seconds
            keeping_pace = self.begun + bounds.first_seconds + self.size / bounds.bytes_a_second
            until = min(self.begun + whole, self.heard + bounds.silence_seconds, keeping_pace)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._receive()
        except TimeoutError:
            return None

    async def _too_large(self, size: int) -> Refusal | None:
        bounds = self.bounds
        if size > bounds.upload_bytes:
            return _too_large(
                Sentence(
                    mark(
                        "This is larger than the %(most)s MB allowed here. Send a smaller file. From an X archive, "
                        "data/tweets.js is enough."
                    ),
                    most=settings.MAX_UPLOAD_MB,
                )
            )
        if size <= bounds.stranger_bytes:
            return None
        if await self._identify() is None:
            kb = bounds.stranger_bytes // 1024
            return _too_large(
                Sentence(
                    mark(
                        "Without signing in, you can send at most %(most)s kB. Sign in or send an API token, then try "
                        "again."
                    ),
                    most=kb,
                )
            )
        is_form = self.headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
        if size > bounds.person_bytes and not is_form:
            return _too_large(mark("This is more text than one request can contain. Upload it as a file instead."))
        return None

    async def _no_slot(self) -> Refusal | None:
        """Count a slow body for its address or, if that has too many, for the person who sends it."""
        client = self.scope.get("client") or ("unknown",)
        if self._take(f"address {network_of(str(client[0]))}", self.bounds.held_by_address):
            return None
        person = await self._identify()
        if person is not None and self._take(f"person {person}", self.bounds.held_by_person):
            return None
        return Refusal(
            429,
            "too_many_uploads",
            mark("Too many of your requests are still arriving. Wait until one is done, then try again."),
            {"Retry-After": "30"},
        )

    def _take(self, slot: str, most: int) -> bool:
        if self.held[slot] >= most:
            return False
        self.held[slot] += 1
        self.slot = slot
        return True

    async def _identify(self) -> Any:
        if not self.is_identified:
            self.person = await database_sync_to_async(_person)(self.headers)
            self.is_identified = True
        return self.person


def _too_large(message: str) -> Refusal:
    return Refusal(413, "too_large", message)


def _person(headers: Mapping[bytes, bytes]) -> Any:
    """Return the id of the active person whose token or session is in the headers, or None for a stranger."""
    cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    user = user_of(authorization, cookies.get(settings.SESSION_COOKIE_NAME))
    return None if user is None else user.pk
