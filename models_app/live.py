"""Posts while they are written, as server-sent events: each as it ends, last all of them as they are kept."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

from django.db import connections

from models_app.models import Generation

#: A line without news is kept open by a comment.
PING_SECONDS = 15.0

#: Writes, given what to call with each post and what to call before each step.
Write = Callable[[Callable[[str], None], Callable[[], None]], Generation]


class NobodyListens(Exception):
    """Whoever asked has gone: what was written so far is not kept."""


async def follow(
    write: Write,
    post_data: Callable[[str], str],
    generation_data: Callable[[Generation], str],
    error_data: Callable[[Exception], str],
) -> AsyncIterator[str]:
    """Each post, then the generation; an error in its place. Who stops listening stops the writing."""
    loop = asyncio.get_running_loop()
    news: asyncio.Queue[str | None] = asyncio.Queue()
    is_gone = threading.Event()

    def tell(text: str | None) -> None:
        # The loop may have ended with whoever listened.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(news.put_nowait, text)

    def proceed() -> None:
        if is_gone.is_set():
            raise NobodyListens

    def work() -> None:
        try:
            generation = write(lambda post: tell(_event("post", post_data(post))), proceed)
            tell(_event("generation", generation_data(generation)))
        except NobodyListens:
            pass
        except Exception as error:
            tell(_event("error", error_data(error)))
        finally:
            connections.close_all()
            tell(None)

    # A thread of its own: the one that reads the database for all requests must not wait for it.
    writing = asyncio.create_task(asyncio.to_thread(work))
    try:
        while True:
            try:
                text = await asyncio.wait_for(news.get(), PING_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if text is None:
                await writing
                return
            yield text
    finally:
        is_gone.set()


def _event(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {data}\n\n"
