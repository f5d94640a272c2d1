"""Who hangs up ends the writing, at whatever moment they do it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import StreamingHttpResponse

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from botfactory.asgi import application
from models_app.bots.rows import TrainedModel
from models_app.writing import live
from models_app.writing.board import Board
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.rest.helpers import V1

pytestmark = pytest.mark.django_db(transaction=True)

#: Seconds. Nothing here takes as long, except on a machine that is very busy.
PATIENCE = 25
STREAMS = ["page with a stream", "stream", "ndjson"]


class Caller:
    """A client of the ASGI application that can hang up."""

    def __init__(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes,
        content_type: str,
        takes: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        """`takes`: awaited before a part of the answer is taken."""
        path, _, query = path.partition("?")
        sent = {"host": "localhost", "content-type": content_type, **headers}
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.answers: list[Mapping[str, Any]] = []
        self.is_answered = False
        self._takes = takes
        self.running = asyncio.create_task(application(self.scope, self.incoming.get, self._take))

    async def _take(self, message: Mapping[str, Any]) -> None:
        self.is_answered = True
        if self._takes is not None:
            await self._takes()
        self.answers.append(message)

    async def hang_up(self) -> None:
        """Close the connection, and return once the application has heard of it."""
        self.incoming.put_nowait({"type": "http.disconnect"})
        await until(self.incoming.empty)


async def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def called(
    alice: User, base: TrainedModel, way: str, takes: Callable[[], Awaitable[Any]] | None = None
) -> Caller:
    """Somebody who asks for posts."""
    if way.startswith("page"):
        browser: Any = await sync_to_async(signed_in)(alice)
        session = browser.cookies["sessionid"].value
        headers = {"cookie": f"sessionid={session}; csrftoken={'a' * 32}", "x-csrftoken": "a" * 32}
        path, body = f"/models/{base.pk}/generate", b"count=2&temperature=0.8"
        content_type = "application/x-www-form-urlencoded"
    else:
        text = (await sync_to_async(tokens.create_token)(owner=alice, name="program")).text
        headers = {"authorization": f"Bearer {text}"}
        path, body = f"{V1}/models/{base.pk}/generate{'?stream=1' if way == 'stream' else ''}", b'{"n": 2}'
        content_type = "application/json"
    if way in ("page with a stream", "ndjson"):
        headers["accept"] = "application/x-ndjson"
    return Caller(path, headers, body, content_type, takes)


async def require_ended(caller: Caller, endless: list[int], board: Board) -> None:
    ended, _ = await asyncio.wait({caller.running}, timeout=PATIENCE)
    assert ended
    pending = sync_to_async(board.pending)
    deadline = time.monotonic() + PATIENCE
    while endless or await pending():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert not any(message.get("status", 200) >= 400 for message in caller.answers)
    assert await Generation.objects.acount() == 0
    await sync_to_async(connections.close_all)()


@pytest.mark.parametrize("way", ["page", "program", *STREAMS])
async def test_who_hangs_up_while_it_writes(
    alice: User, base: TrainedModel, endless: list[int], board: Board, way: str
) -> None:
    caller = await called(alice, base, way)
    await until(lambda: endless and (way not in STREAMS or caller.answers))
    await caller.hang_up()
    await require_ended(caller, endless, board)


@pytest.mark.parametrize("way", STREAMS)
async def test_who_hangs_up_before_the_view_returns_its_stream(
    alice: User, base: TrainedModel, endless: list[int], board: Board, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_hung_up, response, returned = threading.Event(), live.response, []

    def slow(*values: Any, **more: Any) -> StreamingHttpResponse:
        # Kept, as in a traceback, so that nothing depends on when it is forgotten.
        returned.append(response(*values, **more))
        assert has_hung_up.wait(PATIENCE)
        return returned[0]

    monkeypatch.setattr(live, "response", slow)
    caller = await called(alice, base, way)
    await until(lambda: endless and returned)
    await caller.hang_up()
    has_hung_up.set()
    await require_ended(caller, endless, board)


@pytest.mark.parametrize("way", STREAMS)
async def test_who_hangs_up_before_the_view_has_asked(
    alice: User, base: TrainedModel, endless: list[int], board: Board, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, has_hung_up, response, returned = threading.Event(), threading.Event(), live.response, []

    def slow(*values: Any, **more: Any) -> StreamingHttpResponse:
        begun.set()
        assert has_hung_up.wait(PATIENCE)
        returned.append(response(*values, **more))
        return returned[0]

    monkeypatch.setattr(live, "response", slow)
    caller = await called(alice, base, way)
    await until(begun.is_set)
    await caller.hang_up()
    has_hung_up.set()
    await until(lambda: returned)
    await require_ended(caller, endless, board)


@pytest.mark.parametrize("way", STREAMS)
async def test_who_hangs_up_before_the_stream_is_read(
    alice: User, base: TrainedModel, endless: list[int], board: Board, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    response, returned, never = live.response, [], asyncio.Event()

    def keeping(*values: Any, **more: Any) -> StreamingHttpResponse:
        returned.append(response(*values, **more))
        return returned[0]

    monkeypatch.setattr(live, "response", keeping)
    caller = await called(alice, base, way, never.wait)
    await until(lambda: endless and caller.is_answered)
    await caller.hang_up()
    await require_ended(caller, endless, board)
