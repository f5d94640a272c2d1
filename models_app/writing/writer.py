"""A writer: takes requests from the board, writes with the bots in its memory, and sends what it has written."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

from django.db import connections
from redis.exceptions import RedisError

from botfactory.words.translation import stored
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import Tier
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.outcome import Writing
from models_app.training import evaluating
from models_app.training.language_advice import foreign_to
from models_app.writing import held as memory_held
from models_app.writing.admission import WritingInterrupted
from models_app.writing.board import PREFIX, Board, client
from models_app.writing.bots import Memory, model_of
from models_app.writing.engine import Engine, Stopped, Work
from models_app.writing.outgoing import Outgoing
from models_app.writing.requests import Event, Facts, Request, characters_of
from models_app.writing.shelf import Key
from tweets.cleaning import personal

logger = logging.getLogger(__name__)

#: Requests to write in a writer for each of its threads; others stay in the queue, where any writer can take them.
HELD_BY_THREAD: Final = 4
LOADERS: Final = 2
#: A request joins those of its bot at another writer, unless that one has more than this. It may be done with one of
#: them already, and just not have said so yet.
MAX_BEFORE: Final = 1
#: Characters per second for each thread, until they're measured.
FIRST_RATES: Final[Mapping[str, float]] = {Tier.QUICK: 3_000.0, Tier.FLUENT: 300.0}
#: Seconds between looks at who still waits, and between signs of life.
LOOK: Final = 0.2
BEAT: Final = 1.0
#: Seconds that a writer that is stopped has for what it has begun; the rest goes back to the queue.
GRACE: Final = 5.0
_WAIT: Final = 1.0
_PAUSE: Final = 0.5

SERVER_ERROR: Final = "server_error"


class _Held:
    """A request that this writer has taken."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.begun = time.perf_counter()
        self.posts = 0
        self.work: Work | None = None
        self.measuring: Future[None] | None = None
        self.is_stopped = False

    def stop(self) -> None:
        self.is_stopped = True
        if self.work is not None:
            self.work.stop()
        if self.measuring is not None:
            self.measuring.cancel()

    def require_wanted(self) -> None:
        if self.is_stopped:
            raise Stopped


class Writer:
    """Call `run` in a thread that has nothing else to do; it returns some time after `stop`."""

    def __init__(self, *, threads: int, megabytes: int, prefix: str = PREFIX) -> None:
        """`megabytes`: of the models in memory; `prefix`: of the board."""
        self._prefix = prefix
        self.id = uuid.uuid4().hex
        self.memory = Memory(megabytes * 10**6)
        self._threads = threads
        self._engine = Engine(threads, rates=FIRST_RATES)
        self._board = Board(client(), self._prefix)
        self._loaders = ThreadPoolExecutor(LOADERS, "loader")
        self._measuring = ThreadPoolExecutor(1, "measuring")
        self._outgoing = Outgoing(self.id, prefix)
        self._held: dict[str, _Held] = {}
        self._unheard: set[str] = set()
        self._ahead: Future[None] | None = None
        self._changed = threading.Condition()
        self._megabytes = 0.0
        self._has_ended_some = False
        self._is_stopping = threading.Event()
        self._is_ended = threading.Event()

    def stop(self) -> None:
        """End what it has begun, if that takes a few seconds, and hand back the rest. Can be called by a signal."""
        self._is_stopping.set()

    def run(self) -> None:
        looking = threading.Thread(target=self._look, name="looking", daemon=True)
        receiving = threading.Thread(target=self._take, kwargs={"handed": True}, name="receiving", daemon=True)
        self._outgoing.start()
        looking.start()
        receiving.start()
        self._take()
        receiving.join()
        with self._changed:
            self._changed.wait_for(lambda: not self._held, GRACE)
        # Before the rest is cancelled: that goes back to the queue.
        self._is_ended.set()
        self._loaders.shutdown(wait=False, cancel_futures=True)
        self._measuring.shutdown(wait=False, cancel_futures=True)
        for held in self._all():
            held.stop()
        self._engine.close()
        looking.join()
        self._outgoing.close()
        try:
            self._board.hand_back(self.id)
        except RedisError as error:
            logger.warning("what was begun can't be handed back now: %s", error)

    def facts(self) -> Facts:
        return Facts(
            host=socket.gethostname(),
            pid=os.getpid(),
            threads=self._threads,
            rates={str(tier): round(rate, 1) for tier, rate in self._engine.rates.items()},
            requests=len(self._held),
            models=len(self.memory.shelf),
            bots=self.memory.names(),
            megabytes=self._megabytes,
        )

    def _all(self) -> list[_Held]:
        with self._changed:
            return list(self._held.values())

    # What it takes

    def _take(self, *, handed: bool = False) -> None:
        """Take what is in the queue, or what other writers have left to this one, until it's stopped."""
        board = Board(client(waits=True), self._prefix)
        while not self._is_stopping.is_set():
            with self._changed:
                if not self._changed.wait_for(self._has_room, _WAIT):
                    continue
            try:
                request = board.take(self.id, _WAIT, handed=handed)
            except (RedisError, OSError) as error:
                logger.warning("no requests can be taken: %s", error)
                self._is_stopping.wait(_PAUSE)
                continue
            if request is None or (not handed and self._is_left(board, request)):
                continue
            if self._is_worn(board, request):
                self._outgoing.tell(request, _failed(request, WritingInterrupted()))
                self._outgoing.end(request)
                continue
            held = _Held(request)
            with self._changed:
                self._held[request.id] = held
            self._loaders.submit(self._prepare, held)

    def _has_room(self) -> bool:
        """Return whether it can take more. What is to be measured doesn't count: it waits for a thread of its own."""
        writing = sum(held.request.posts is None for held in self._held.values())
        return writing < HELD_BY_THREAD * self._threads

    def _is_left(self, board: Board, request: Request) -> bool:
        """Leave the request to another writer that has the bot in memory, if this one hasn't and that one has time.

        Loading a bot takes up to three seconds, and its memory once more. Requests of one bot share its passes. Return
        whether it's left.
        """
        if request.posts is not None or request.bot in self.memory.names():
            return False
        try:
            for other, facts in board.writers().items():
                # A writer of an earlier version doesn't say what it has.
                has_time = facts["requests"] <= MAX_BEFORE
                if other != self.id and has_time and request.bot in facts.get("bots", ()):
                    return board.hand_over(request, self.id, other)
        except (RedisError, OSError) as error:
            logger.warning("a request can't be left to another writer: %s", error)
        return False

    @staticmethod
    def _is_worn(board: Board, request: Request) -> bool:
        try:
            return board.is_worn(request)
        except (RedisError, OSError) as error:
            # It's this writer's by now, and nobody else would write it.
            logger.warning("the tries of a request can't be counted: %s", error)
            return False

    def _prepare(self, held: _Held) -> None:
        """Load what the request needs, and give it to those who do the work."""
        try:
            held.require_wanted()
            request = held.request
            if request.posts is None:
                self._begin(held)
            else:
                held.measuring = self._measuring.submit(self._measure, held, request.posts)
                held.measuring.add_done_callback(lambda done: self._end(held, Stopped()) if done.cancelled() else None)
                if held.is_stopped:
                    held.measuring.cancel()
        except BaseException as error:
            self._end(held, error)
        finally:
            connections.close_all()

    def _begin(self, held: _Held) -> None:
        request = held.request
        model = model_of(request.bot)
        sampling = SamplingConfig.from_dict(request.sampling or {})
        key, bot = self.memory.take(request.bot, model)
        try:
            guard = bot.guard_of(model) if sampling.copy_guard else None
            drawing = bot.sampler.draw(
                sampling,
                guard=guard,
                house=house_bans(),
                personal=personal.adds,
                is_foreign=foreign_to(model.corpus),
                on_post=partial(self._tell_post, held),
                on_beginnings=partial(self._tell_beginnings, held) if request.beginnings else None,
            )
        except BaseException:
            self.memory.shelf.give_back(key)
            raise
        held.work = Work(
            bot.sampler, drawing, kind=model.tier, weight=characters_of(sampling), done=self._back(held, key)
        )
        if held.is_stopped:
            held.work.stop()
        self._engine.submit(held.work)

    def _back(self, held: _Held, key: Key) -> Callable[[Writing | BaseException], None]:
        def done(outcome: Writing | BaseException) -> None:
            self.memory.shelf.give_back(key)
            if isinstance(outcome, Writing):
                told = {"posts": outcome.posts, "refused": outcome.refused.as_dict(), "measured": outcome.measured}
                self._end(held, told)
            else:
                self._end(held, outcome)

        return done

    def _measure(self, held: _Held, posts: list[str]) -> None:
        try:
            found = evaluating.evaluate(model_of(held.request.bot), posts, proceed=held.require_wanted)
            self._end(held, found.as_dict())
        except BaseException as error:
            self._end(held, error)
        finally:
            connections.close_all()

    # What it does if there's nothing to write

    def _look_ahead(self) -> None:
        """Load the bot that is expected next, unless a writer has it already. Raises RedisError."""
        is_loading = self._ahead is not None and not self._ahead.done()
        if self._held or is_loading or self._is_stopping.is_set():
            return
        bot = self._board.next_expected()
        if bot is None or any(bot in facts.get("bots", ()) for facts in self._board.writers().values()):
            return
        # The loaders take nothing any more once they are being stopped.
        with suppress(RuntimeError):
            self._ahead = self._loaders.submit(self._load_ahead, bot)

    def _load_ahead(self, bot: str) -> None:
        try:
            key, _ = self.memory.take(bot, model_of(bot))
            self.memory.shelf.give_back(key)
        except Exception as error:
            # It may have been deleted. A request for it will get the reason.
            logger.info("a bot can't be loaded ahead: %s", error)
        finally:
            connections.close_all()

    # What it sends

    def _tell_post(self, held: _Held, place: int, post: str) -> None:
        event = Event(request=held.request.id, kind="post", number=held.posts, place=place, post=post)
        self._outgoing.tell(held.request, event)
        held.posts += 1

    def _tell_beginnings(self, held: _Held, beginnings: dict[int, str]) -> None:
        placed = {str(place): text for place, text in beginnings.items()}
        self._outgoing.tell(held.request, Event(request=held.request.id, kind="beginnings", beginnings=placed))

    def _end(self, held: _Held, outcome: dict[str, Any] | BaseException) -> None:
        """The request has ended, by its result or by an error; nobody hears of one that is handed back or unwanted."""
        request = held.request
        if isinstance(outcome, dict):
            result = outcome | {"seconds": time.perf_counter() - held.begun}
            self._outgoing.tell(request, Event(request=request.id, kind="done", result=result))
        elif not isinstance(outcome, Stopped):
            self._outgoing.tell(request, _failed(request, outcome))
        elif self._is_ended.is_set():
            return
        self._outgoing.end(request)
        with self._changed:
            self._held.pop(request.id, None)
            self._has_ended_some = True
            self._changed.notify_all()

    # What it looks after

    def _look(self) -> None:
        """Say that it's alive, drop what nobody waits for, and hand back what dead writers have taken."""
        beat_at = -BEAT
        told: tuple[int, list[str]] | None = None
        while not self._is_ended.is_set():
            try:
                held = {each.request.id: each for each in self._all()}
                for request in self._board.unwanted([each.request for each in held.values()]):
                    held[request.id].stop()
                self._look_ahead()
                is_due = time.monotonic() - beat_at >= BEAT
                if is_due:
                    self._look_after_memory()
                facts = self.facts()
                if is_due or told != (facts["requests"], facts["bots"]):
                    self._board.beat(self.id, facts, [each.request for each in self._all()])
                    told = facts["requests"], facts["bots"]
                if is_due:
                    self._put_back_unheard()
                    for writer in self._board.bury():
                        logger.warning("writer %s is gone, and others take over what it had begun", writer)
                    beat_at = time.monotonic()
            except (RedisError, OSError) as error:
                logger.warning("the broker doesn't answer the writer: %s", error)
            self._is_ended.wait(LOOK)

    def _look_after_memory(self) -> None:
        """Measure what the process holds. If there's nothing to do, give back what earlier requests needed."""
        if self._has_ended_some and not self._held:
            self._has_ended_some = False
            memory_held.give_back()
        self._megabytes = round(self.memory.measured() / 1e6, 1)

    def _put_back_unheard(self) -> None:
        """Put back what the server has given to this writer when it no longer waited for the answer. RedisError.

        A request counts if it's found twice: before it's held, and when it ends, this writer doesn't hold it either.
        """
        taken = self._board.taken(self.id)
        held = {each.request.id for each in self._all()}
        unheard = [request for request in taken if request.id not in held]
        lost = [request for request in unheard if request.id in self._unheard]
        self._unheard = {request.id for request in unheard} - {request.id for request in lost}
        for request in lost:
            logger.warning("request %s never arrived here, so it waits again", request.id)
            self._board.put_back(self.id, request)


def _failed(request: Request, error: BaseException) -> Event:
    """Return the event for an error, whose message is for the person if it has a code."""
    code = getattr(error, "code", None)
    if code is None:
        logger.error("request %s failed", request.id, exc_info=error)
    told = {"message": str(error), "words": stored(error)} if code else {"message": "", "words": {}}
    return Event(request=request.id, kind="failed", code=code or SERVER_ERROR, **told)  # type: ignore[typeddict-item,no-any-return]
