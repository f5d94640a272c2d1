"""Posts while they are written: how they begin, each as it ends, last all of them as they are kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse

from botfactory.accounts.models import User
from botfactory.web import disconnect
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.writing import asking
from models_app.writing.asking import PendingRequest, Posted
from models_app.writing.rows import Generation

#: A stream without news is kept open by a blank line or a comment.
PING_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Form:
    """How a stream is written. `piece`: makes one of a kind (post, generation or error) and its JSON."""

    content_type: str
    piece: Callable[[str, str], str]
    ping: str


SERVER_SENT_EVENTS: Final = Form(
    "text/event-stream", lambda kind, data: f"event: {kind}\ndata: {data}\n\n", ": still here\n\n"
)
#: One JSON object a line. Its key says what it is.
NDJSON: Final = Form(
    "application/x-ndjson",
    lambda kind, data: f'{{"generation":{data}}}\n' if kind == "generation" else f"{data}\n",
    "\n",
)


@dataclass(frozen=True, slots=True)
class Words:
    """What a stream says, as JSON on one line. Those of generations and errors may read the database.

    The beginnings of posts that are being written are told by their places, if they are asked for.
    """

    post: Callable[[Posted], str]
    generation: Callable[[Generation], str]
    error: Callable[[Exception], str]


def is_asked_for(request: HttpRequest, form: Form) -> bool:
    """Return whether the request's Accept names the form before any other."""
    return request.headers.get("Accept", "").partition(";")[0].strip().lower() == form.content_type


def response(
    request: HttpRequest,
    form: Form,
    words: Words,
    *,
    model: TrainedModel,
    owner: User,
    sampling: SamplingConfig,
    beginnings: bool,
) -> StreamingHttpResponse:
    """Ask for posts, and return the stream of them. `sampling` needs a seed. Raises what `asking.ask` raises."""
    asked = asking.ask(owner, model, sampling, beginnings=beginnings)
    # A client that leaves before the stream begins never reads what would end the writing.
    disconnect.when_gone(request, asked.cancel)
    stream = follow(asked, form, words, model=model, owner=owner, sampling=sampling)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(stream, content_type=form.content_type, headers=headers)


async def follow(
    asked: PendingRequest, form: Form, words: Words, *, model: TrainedModel, owner: User, sampling: SamplingConfig
) -> AsyncIterator[str]:
    """Yield beginnings and each post, then the generation; an error in its place.

    Closing the generator stops the writing.
    """
    told = asking.follow(asked, model=model, owner=owner, sampling=sampling, ping_seconds=PING_SECONDS)
    try:
        async for news in told:
            if news is None:
                yield form.ping
            elif isinstance(news, Posted):
                yield form.piece("post", words.post(news))
            elif isinstance(news, dict):
                yield form.piece("beginnings", json.dumps({"beginnings": news}))
            else:
                yield form.piece("generation", await sync_to_async(words.generation)(news))
    except Exception as error:
        yield form.piece("error", await sync_to_async(words.error)(error))
    finally:
        await told.aclose()
