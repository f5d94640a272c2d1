"""What web processes call to let a bot write or to measure it: they ask a writer, and load no model themselves.

Whoever waits holds nothing but a place in the queue. If they leave, the writer stops.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from asgiref.sync import sync_to_async
from channels.db import aclose_old_connections
from django.conf import settings
from django.db import close_old_connections
from redis.exceptions import RedisError

from botfactory.accounts.models import User
from botfactory.broker import doorbell
from botfactory.ops import counters
from botfactory.words.translatable import Sentence
from botfactory.words.translation import recalled
from models_app.bots import guards
from models_app.bots.errors import UnknownModel
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling, CheckpointError, TooFewPosts
from models_app.ml.networks.llama.pretrained import PretrainedError
from models_app.ml.sampling.outcome import Refused, Writing
from models_app.training import evaluating
from models_app.writing import admission, generations
from models_app.writing.admission import TookTooLong, WriterMissing, WritingInterrupted
from models_app.writing.answers import Inbox, listener
from models_app.writing.board import LEASE, LONGEST, Board, client
from models_app.writing.requests import MEASURING, Event, Request, bot_of, characters_of
from models_app.writing.rows import Generation

logger = logging.getLogger(__name__)

#: Seconds between looks at who still waits for the answer.
_LOOK: Final = 0.25
#: Seconds between looks at the board: whether it still has the request, and whether anybody writes.
_CHECK: Final = 1.0
#: After this many seconds without a writer, the request is given up. A killed writer is started again sooner.
GIVE_UP: Final = LEASE + 16.0
#: A caller that waits longer gives its database connection back meanwhile.
_SOON: Final = 1.0

#: What a writer may answer with, by code. Each needs only its message.
_ERRORS: Final[dict[str, type[Exception]]] = {
    error.code: error
    for error in (
        UnknownModel,
        guards.GuardLost,
        BadSampling,
        CheckpointError,
        PretrainedError,
        TooFewPosts,
    )
}


class WriterFailed(Exception):
    """Something went wrong in the writer, whose log says what."""


@cache
def _board(url: str) -> Board:
    return Board(client())


@dataclass(frozen=True, slots=True)
class Posted:
    """A post that has just been written, and its place among those that are asked for."""

    place: int
    post: str


@dataclass(slots=True)
class PendingRequest:
    """A request that a writer has or will have. `cancel` it where its answer isn't wanted any more."""

    request: Request
    inbox: Inbox
    _board: Board
    _posts: int = 0
    is_over: bool = False
    _closing: threading.Lock = field(default_factory=threading.Lock)
    _begun: float = field(default_factory=time.monotonic)
    _checked_at: float = field(default_factory=time.monotonic)
    _alone_since: float | None = None
    _missing: int = 0

    def cancel(self) -> None:
        """Nobody waits any more. Does nothing once the answer is there."""
        if not self._close():
            return
        try:
            with doorbell.waiting():
                self._board.cancel(self.request)
        except (RedisError, OSError) as error:
            # The writer notices late that nobody listens.
            logger.warning("a request can't be cancelled: %s", error)

    def posts_of(self, event: Event) -> list[Posted]:
        """Return the post of this event, unless it came before: a request that is taken twice begins again."""
        if event["kind"] != "post" or event["number"] != self._posts:
            return []
        self._posts += 1
        # A writer of an earlier version doesn't say the place.
        return [Posted(event.get("place", event["number"]), event["post"])]

    def result_of(self, event: Event) -> dict[str, Any] | None:
        """Return the result if this event has it. Raises what the writer failed with."""
        if event["kind"] in ("post", "beginnings"):
            return None
        self._close()
        if event["kind"] == "done":
            return event["result"]
        raise _error_of(event["code"], recalled(event["message"], event.get("words", {})))

    def check(self) -> None:
        """Return if there is still hope of an answer. Raises WriterMissing, TookTooLong."""
        now = time.monotonic()
        if now - self._checked_at < _CHECK:
            return
        self._checked_at = now
        try:
            with doorbell.waiting():
                is_pending = self._board.is_pending(self.request)
                is_alone = not admission.writers.known(self._board)
                # A server that was restarted has forgotten what waited in it. Twice: an answer may be on its way.
                self._missing = 0 if is_pending else self._missing + 1
                if self._missing > 2:
                    self._missing = 0
                    self._board.put_again(self.request)
        except (RedisError, OSError) as error:
            logger.warning("the broker doesn't answer who waits for posts: %s", error)
            is_alone = True
        self._alone_since = (self._alone_since or now) if is_alone else None
        if self._alone_since and now - self._alone_since > GIVE_UP:
            self.cancel()
            raise WriterMissing
        if now - self._begun > LONGEST:
            self.cancel()
            raise TookTooLong

    def _close(self) -> bool:
        """Return whether it was open: several threads may close it."""
        with self._closing:
            was_over, self.is_over = self.is_over, True
        if was_over:
            return False
        listener().close(self.request.id)
        counters.generations_running.dec()
        return True


def _ask(model: TrainedModel, owner: User, characters: float, **what: Any) -> PendingRequest:
    """Put a request into the queue. Raises Busy, WriterMissing."""
    heard = listener()
    number = uuid.uuid4().hex
    board = _board(settings.REDIS_URL)
    inbox = heard.open(number)
    try:
        with doorbell.waiting():
            request = Request(
                id=number,
                model=str(model.pk),
                sha256=model.sha256,
                person=str(owner.pk),
                answers=heard.process,
                weight=admission.weight_of(board, characters, model.tier),
                **what,
            )
            admission.admit(board, request)
    except (RedisError, OSError) as error:
        heard.close(number)
        logger.warning("a writer can't be asked: %s", error)
        raise WriterMissing from None
    except BaseException:
        heard.close(number)
        raise
    counters.generations_running.inc()
    return PendingRequest(request, inbox, board)


def ask(owner: User, model: TrainedModel, sampling: SamplingConfig, *, beginnings: bool = False) -> PendingRequest:
    """Ask for posts, and with `beginnings` for how they begin, too. `sampling` needs a seed (services.settled).

    Raises what `services.require_askable` does, TooMuch, GuardLost, Busy, WriterMissing.
    """
    require_askable(owner, model, sampling)
    if sampling.copy_guard and guards.state_of(model) is guards.State.LOST:
        raise guards.GuardLost(model)
    return _ask(model, owner, characters_of(sampling), sampling=sampling.as_dict(), beginnings=beginnings)


def is_free() -> bool:
    """Return whether a writer runs and has nothing to do, so that pages may let it write without being asked to."""
    board = _board(settings.REDIS_URL)
    try:
        with doorbell.waiting():
            return bool(admission.writers.known(board)) and not board.pending()
    except (RedisError, OSError):
        return False


def expect(model: TrainedModel, owner: User) -> None:
    """Say that the person may soon let the model write, so that a writer with nothing to do loads it.

    The next request doesn't wait for that then. If the broker doesn't answer, nothing happens.
    """
    with suppress(RedisError, OSError), doorbell.waiting():
        _board(settings.REDIS_URL).expect(bot_of(str(model.pk), model.sha256), str(owner.pk))


def writers() -> int | None:
    """Return how many writers run, or None if the broker doesn't say."""
    try:
        with doorbell.waiting():
            return len(admission.writers.known(_board(settings.REDIS_URL)))
    except (RedisError, OSError):
        return None


def require_askable(owner: User, model: TrainedModel, sampling: SamplingConfig) -> None:
    generations.require_guards(owner, model, sampling)
    admission.require_size(sampling)
    generations.require_possible(model, sampling)


def generate(
    *, model: TrainedModel, owner: User, sampling: SamplingConfig, proceed: Callable[[], None] | None = None
) -> Generation:
    """Let a writer write posts by `model`, and keep them with what was refused on the way.

    Calls `proceed` while it waits; what it raises ends the writing, and nothing is kept. Raises what `ask` raises, and
    what a writer fails with.
    """
    sampling = generations.settled(sampling, model)
    asked = ask(owner, model, sampling)
    return keep(model, owner, sampling, _waited(asked, proceed))


def write(
    *, model: TrainedModel, owner: User, sampling: SamplingConfig, proceed: Callable[[], None] | None = None
) -> list[str]:
    """Let a writer write posts by `model`, and return them without keeping them. Raises what `generate` raises."""
    result = _waited(ask(owner, model, generations.settled(sampling, model)), proceed)
    counters.generation_seconds.observe(result["seconds"])
    counters.generated_posts.inc(len(result["posts"]))
    return [str(post) for post in result["posts"]]


def evaluate(
    *, model: TrainedModel, owner: User, posts: list[str], proceed: Callable[[], None] | None = None
) -> evaluating.Evaluated:
    """Let a writer measure how well `model` predicts the posts (services.evaluate)."""
    # It's measured by the base model, too.
    characters = 2 * MEASURING * sum(map(len, posts))
    result = _waited(_ask(model, owner, characters, posts=posts), proceed)
    return evaluating.Evaluated.from_dict(result, base=evaluating.base_of(model))


def _waited(asked: PendingRequest, proceed: Callable[[], None] | None) -> dict[str, Any]:
    begun = time.monotonic()
    try:
        while True:
            event = asked.inbox.get(_LOOK)
            if event is not None:
                result = asked.result_of(event)
                if result is not None:
                    return result
                continue
            if proceed is not None:
                proceed()
            asked.check()
            if time.monotonic() - begun > _SOON:
                # The next query opens it again.
                close_old_connections()
    finally:
        asked.cancel()


#: A post as it ends, or the beginnings of all that are being written; last, all posts as they are kept.
News = Posted | dict[str, str] | Generation


async def follow(
    asked: PendingRequest, *, model: TrainedModel, owner: User, sampling: SamplingConfig, ping_seconds: float
) -> AsyncGenerator[News | None]:
    """Yield each post and the beginnings, then what is kept; None where nothing has come for a while.

    Meanwhile no thread waits, and no connection to the database is held.

    Closing the generator stops the writing; `cancel` ends the generator. Raises the writer's error.
    """
    quiet_since = time.monotonic()
    try:
        await aclose_old_connections()
        while True:
            event = await asked.inbox.wait(_CHECK)
            if asked.is_over:
                return
            if event is None:
                await sync_to_async(asked.check)()
                if time.monotonic() - quiet_since >= ping_seconds:
                    quiet_since = time.monotonic()
                    yield None
                continue
            quiet_since = time.monotonic()
            if event["kind"] == "beginnings":
                yield event["beginnings"]
            for post in asked.posts_of(event):
                yield post
            result = asked.result_of(event)
            if result is not None:
                yield await sync_to_async(keep)(model, owner, sampling, result)
                return
    finally:
        if not asked.is_over:
            await asyncio.shield(asyncio.to_thread(asked.cancel))


def keep(model: TrainedModel, owner: User, sampling: SamplingConfig, result: dict[str, Any]) -> Generation:
    """Keep what a writer has written."""
    # A writer of an earlier version measures nothing.
    writing = Writing(result["posts"], Refused.from_dict(result["refused"]), measured=result.get("measured", []))
    counters.generation_seconds.observe(result["seconds"])
    counters.generated_posts.inc(len(writing.posts))
    return generations.keep(model, owner, sampling, writing, result["seconds"])


def _error_of(code: str, message: Sentence) -> Exception:
    if code == WritingInterrupted.code:
        return WritingInterrupted()
    kind = _ERRORS.get(code)
    if kind is None:
        return WriterFailed("The writer's log says what went wrong.")
    # Their own constructors take what only the writer has.
    error = kind.__new__(kind)
    Exception.__init__(error, str(message))
    # So that the page or the API translates it (botfactory.words.translation.translated).
    error.__dict__.update(template=message.template, plural=message.plural, values=message.values)
    return error
