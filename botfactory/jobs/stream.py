"""Server-sent events of a job: those after a number, then new ones until the job has ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from botfactory.jobs import events
from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.watching import Watcher, lines

#: Without news, a comment keeps the connection open, and access is checked again.
PING_SECONDS = 15.0


async def follow(
    job_id: uuid.UUID,
    person: int,
    watcher: Watcher,
    after: int,
    event_data: Callable[[JobEvent], str],
    job_data: Callable[[Job], str],
) -> AsyncIterator[str]:
    """Yield each event once and in order, with its number as its id, and the job whenever it has changed.

    A message of the channel layer is only a doorbell. The rows are the truth, so a lost message loses nothing.
    """

    def news(after: int) -> tuple[list[tuple[int, str, str]], str, bool] | None:
        try:
            job = watcher.job(job_id)
        except Job.DoesNotExist:
            return None
        rows = [
            (event.sequence, event.kind, event_data(event))
            for event in job.events.filter(sequence__gt=after).order_by("sequence")
        ]
        job.refresh_from_db()
        ended = job.is_ended and (rows[-1][0] if rows else after) >= job.last_sequence
        return rows, job_data(job), ended

    if not lines.take(person):
        return
    try:
        async for piece in _follow(job_id, news, after):
            yield piece
    finally:
        lines.give_back(person)


async def _follow(
    job_id: uuid.UUID, news: Callable[[int], tuple[list[tuple[int, str, str]], str, bool] | None], after: int
) -> AsyncIterator[str]:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    group = events.group_of(Job(pk=job_id))
    # The group first, the rows second: an event between the two rings and has been read already.
    await layer.group_add(group, channel)
    bell: asyncio.Task[Any] = asyncio.create_task(layer.receive(channel))
    try:
        shown = ""
        while True:
            found = await database_sync_to_async(news)(after)
            if found is None:
                return
            rows, job, ended = found
            for sequence, kind, data in rows:
                after = sequence
                yield f"id: {sequence}\nevent: {kind}\ndata: {data}\n\n"
            if job != shown:
                shown = job
                yield f"event: job\ndata: {job}\n\n"
            if ended:
                return
            if (await asyncio.wait({bell}, timeout=PING_SECONDS))[0]:
                bell.result()
                bell = asyncio.create_task(layer.receive(channel))
            else:
                yield ": still here\n\n"
    finally:
        await layer.group_discard(group, channel)
        bell.cancel()
