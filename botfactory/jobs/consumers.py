"""The one socket: a job's snapshot, everything after `?after=SEQUENCE`, then what happens live.

Who watches is known by the session of the pages or by an API token, in the header `Authorization: Bearer TOKEN` or,
from a browser, as a subprotocol: `new WebSocket(address, ["botfactory", "bearer.TOKEN"])`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, parse_cookie
from django.utils import translation
from redis.exceptions import RedisError

from botfactory.jobs import events
from botfactory.jobs.models import Job
from botfactory.jobs.watching import PROTOCOL, Watcher, lines, shown_token
from botfactory.web.numbers import LARGEST, whole_number

logger = logging.getLogger(__name__)

PING_SECONDS = 25
NOT_FOUND = 4404
#: The person has as many connections as they may have. The page polls instead.
TOO_MANY = 4429
#: The broker or the database can't be reached at the moment.
TRY_AGAIN_LATER = 1013


def language_of(scope: Any) -> str:
    """Return the language that the page of a socket is in, as LocaleMiddleware chooses it."""
    headers = {name.decode("ascii", "replace").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    request = HttpRequest()
    request.META = {"HTTP_ACCEPT_LANGUAGE": headers.get("accept-language", "")}
    request.COOKIES = parse_cookie(headers.get("cookie", ""))
    return translation.get_language_from_request(request)


class JobConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    job: Job
    pings: asyncio.Task[None] | None = None
    has_line = False
    language = settings.LANGUAGE_CODE

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, OperationalError, InterfaceError, OSError) as error:
            logger.warning("a page is not told what happens: the broker or the database cannot be reached (%s)", error)
            with contextlib.suppress(Exception):
                await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
        finally:
            if self.pings is not None:
                self.pings.cancel()
            if self.has_line:
                lines.give_back(self.job.owner_id)

    async def connect(self) -> None:
        try:
            self.job = await self._job_for_user()
        except Job.DoesNotExist:
            # Refused before it is accepted: a stranger sees the same as for an id that doesn't exist.
            await self.close(code=NOT_FOUND)
            return
        self.language = language_of(self.scope)
        # Whoever sees a job owns it.
        self.has_line = lines.take(self.job.owner_id)
        await self.accept(subprotocol=PROTOCOL if PROTOCOL in self.scope.get("subprotocols", []) else None)
        if not self.has_line:
            # Accepted first: a browser tells its page no code of a socket that never opened.
            await self.close(code=TOO_MANY)
            return
        # The group first, the rows second: an event between the two comes twice, and the page knows its sequence.
        await self.channel_layer.group_add(events.group_of(self.job), self.channel_name)
        await self._send_snapshot(self._after())
        self.pings = asyncio.create_task(self._ping())

    async def disconnect(self, code: int) -> None:
        if self.pings is not None:
            self.pings.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.pings
            await self.channel_layer.group_discard(events.group_of(self.job), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Send a page that has missed an event everything after the last one it knows. Ignore nonsense."""
        content = None
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(text_data or "null")
        after = content.get("after") if isinstance(content, dict) else None
        if isinstance(after, int) and after >= 0:
            try:
                self.job = await self._job_for_user()
            except Job.DoesNotExist:
                await self.close(code=NOT_FOUND)
                return
            await self._send_snapshot(min(after, LARGEST))

    async def job_message(self, event: dict[str, Any]) -> None:
        if "text" not in event or self.language != settings.LANGUAGE_CODE:
            # From a worker of an earlier version, which sent something else, or in another language than the page's:
            # the row says the same.
            await self._send_job_as_it_is()
            return
        # As its sender wrote it, so that a thousand pages that watch don't each make it anew.
        await self.send(text_data=event["text"])

    def _after(self) -> int:
        values = parse_qs(self.scope["query_string"].decode("ascii", "replace")).get("after", ["0"])
        return whole_number(values[0])

    async def _send_snapshot(self, after: int) -> None:
        await self.send_json(await self._snapshot(after))

    @sync_to_async
    def _snapshot(self, after: int) -> events.Message:
        with translation.override(self.language):
            return events.snapshot(self.job, after=after)

    async def _ping(self) -> None:
        """Send the job as it is, again and again, as long as the page may watch. Raises nothing."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            try:
                if not await self._send_job_as_it_is():
                    return
            except Exception:
                # Without pings, nobody would notice that a session or token has ended. The next connection starts over.
                logger.warning("job %s: a socket is closed, because its ping failed", self.job.pk, exc_info=True)
                with contextlib.suppress(Exception):
                    await self.close(code=TRY_AGAIN_LATER)
                return

    async def _send_job_as_it_is(self) -> bool:
        """Return whether the page may still watch; it then learns from the job's number if it has missed events."""
        try:
            await self.send_json(await self._job_as_it_is())
        except Job.DoesNotExist:
            await self.close(code=NOT_FOUND)
            return False
        return True

    @sync_to_async
    def _job_as_it_is(self) -> events.Message:
        self.job = self._watched_job()
        with translation.override(self.language):
            return events.Message(type="ping", job=events.job_json(self.job), events=[])

    @sync_to_async
    def _job_for_user(self) -> Job:
        return self._watched_job()

    def _watched_job(self) -> Job:
        # Checked each time: a session or token that has ended no longer watches.
        session = self.scope.get("session")
        watcher = Watcher(shown_token(self.scope), None if session is None else session.session_key)
        return watcher.job(self.scope["url_route"]["kwargs"]["job_id"])
