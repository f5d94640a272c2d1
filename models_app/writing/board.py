"""Where requests and answers meet: lists and keys on the broker's server. Nothing here is lasting.

queue               requests that nobody has taken, oldest first
taken.WRITER        those that a writer has taken; if it dies, they return to the front of the queue
handed.WRITER       those that another writer has left to it, because it has their bot in memory
pending             all of them with their weights, for admission
writers, writer.ID  who writes, and what each says of itself for a few seconds
answers.PROCESS     events for a web process that waits, which says every few seconds that it's there
cancelled.REQUEST   nobody waits for this one any more
expected            bots that somebody may soon ask to write, as in `Request.bot`, the last one first
expecting.PERSON    this person's next one doesn't count for a few seconds
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import redis
from django.conf import settings

from models_app.writing.requests import Event, Facts, Request

PREFIX: Final = "botfactory.write"
#: A writer that is silent for this many seconds counts as dead, and others take over its requests.
LEASE: Final = 4
#: A web process that is silent for this many seconds counts as gone, with everybody who waited there.
PRESENCE: Final = 10
#: Seconds that events and cancellations are kept for processes that are slow to read them.
KEPT: Final = 60
#: Seconds after which a request no longer counts, if nobody has removed it.
LONGEST: Final = 600
#: How often a request is taken before it's given up: it may be what its writers died of.
TRIES: Final = 3
#: The number of expected bots that are remembered, and for how many seconds.
MAX_EXPECTED: Final = 4
EXPECTED_FOR: Final = 10
#: Seconds between two expected bots of the same person: loading takes about as long.
EXPECTED_EVERY: Final = 3

#: Admit a request, or return what is ahead of it. All of it happens at once, so the bound holds for all processes.
_ADMIT: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local all, mine, count = 0, 0, 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local weight, person = string.match(member, '|(%d+)|(.*)$')
  all, count = all + weight, count + 1
  if person == ARGV[3] then mine = mine + weight end
end
local most, slots, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if count >= slots and (all > most or mine > most / 2 or count >= longest) then
  return {0, all}
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[7]), ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[2])
return {1, all}
"""

#: Leave a request to another writer, if that one is alive.
_HAND_OVER: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('LREM', KEYS[2], 1, ARGV[1])
redis.call('RPUSH', KEYS[3], ARGV[1])
return 1
"""

#: Put back a request that a writer has taken, unless it has ended meanwhile.
_PUT_BACK: Final = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) > 0 then
  redis.call('LPUSH', KEYS[2], ARGV[1])
end
"""


def client(*, waits: bool = False) -> redis.Redis[str]:
    """Return a client of the broker's server; with `waits` one that may wait for news for a few seconds."""
    patience = settings.BROKER_OPTIONS["socket_timeout"]
    return redis.Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_connect_timeout=patience,
        socket_timeout=patience + 5 if waits else patience,
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """What admission allows: the weight ahead, the requests that always get in, and the number of all."""

    weight: float
    slots: int
    requests: int


class Board:
    """The lists and keys, on one connection pool. Raises redis.RedisError where the server doesn't answer."""

    def __init__(self, server: redis.Redis[str], prefix: str = PREFIX) -> None:
        """`prefix`: of all keys. Boards with different ones know nothing of each other."""
        self.server, self._prefix = server, prefix
        self._queue, self._pending, self._writers = (self._key(name) for name in ("queue", "pending", "writers"))
        self._expected = self._key("expected")

    def _key(self, *parts: str) -> str:
        return ".".join((self._prefix, *parts))

    # What web processes do

    def admit(self, request: Request, bounds: Bounds) -> tuple[bool, float]:
        """Put the request into the queue if that is within bounds; return whether it is, and the weight ahead."""
        answer = cast(Any, self.server).eval(
            _ADMIT, 2, self._pending, self._queue, _member(request), request.to_json(), request.person,
            str(bounds.weight), str(bounds.slots), str(bounds.requests), str(LONGEST),
        )  # fmt: skip
        return bool(answer[0]), float(answer[1])

    def put_again(self, request: Request) -> None:
        """Put a request into the queue that the server has forgotten."""
        with self.server.pipeline() as pipeline:
            self._count_in(pipeline, [request])
            pipeline.rpush(self._queue, request.to_json())
            pipeline.execute()

    def is_pending(self, request: Request) -> bool:
        return self.server.zscore(self._pending, _member(request)) is not None

    def cancel(self, request: Request) -> None:
        """Nobody waits for it any more, whether or not a writer has taken it."""
        with self.server.pipeline() as pipeline:
            pipeline.lrem(self._queue, 1, request.to_json())
            pipeline.zrem(self._pending, _member(request))
            pipeline.set(self._key("cancelled", request.id), 1, ex=KEPT)
            pipeline.execute()

    def writers(self) -> dict[str, Facts]:
        """Return those who write now, by id."""
        ids = sorted(self.server.smembers(self._writers))
        if not ids:
            return {}
        told = self.server.mget([self._key("writer", each) for each in ids])
        return {each: cast(Facts, json.loads(text)) for each, text in zip(ids, told, strict=True) if text}

    def pending(self) -> int:
        """Return the number of requests that wait or are being written."""
        return self.server.zcard(self._pending)

    def expect(self, bot: str, person: str) -> None:
        """The person may soon ask this bot to write. Does nothing if they have just expected another one."""
        if not self.server.set(self._key("expecting", person), 1, nx=True, ex=EXPECTED_EVERY):
            return
        with self.server.pipeline() as pipeline:
            pipeline.lrem(self._expected, 0, bot)
            pipeline.lpush(self._expected, bot)
            pipeline.ltrim(self._expected, 0, MAX_EXPECTED - 1)
            pipeline.expire(self._expected, EXPECTED_FOR)
            pipeline.execute()

    def present(self, process: str) -> None:
        self.server.set(self._key("present", process), 1, ex=PRESENCE)

    def answers(self, process: str, seconds: float) -> list[Event]:
        """Return the events that have arrived for the process. Wait up to `seconds` for one."""
        key = self._key("answers", process)
        first = self.server.blpop([key], seconds)
        if first is None:
            return []
        more = cast("list[str] | None", self.server.lpop(key, 1000)) or []
        return [cast(Event, json.loads(text)) for text in (first[1], *more)]

    # What writers do

    def beat(self, writer: str, facts: Facts, requests: Iterable[Request]) -> None:
        """The writer is alive, and works on these requests."""
        with self.server.pipeline() as pipeline:
            pipeline.sadd(self._writers, writer)
            pipeline.set(self._key("writer", writer), json.dumps(facts), ex=LEASE)
            is_new, _ = pipeline.execute()
            if is_new:
                # Or the server was restarted, and has forgotten them.
                self._count_in(pipeline, requests)
                pipeline.execute()

    def take(self, writer: str, seconds: float, *, handed: bool = False) -> Request | None:
        """Take the next request for this writer. Wait up to `seconds` for one.

        `handed`: of those that others have left to it.
        """
        source = self._key("handed", writer) if handed else self._queue
        text = cast("str | None", self.server.blmove(source, self._key("taken", writer), seconds, "LEFT", "RIGHT"))
        return None if text is None else Request.from_json(text)

    def taken(self, writer: str) -> list[Request]:
        """Return what the writer has taken, as the server knows it."""
        return [Request.from_json(text) for text in self.server.lrange(self._key("taken", writer), 0, -1)]

    def put_back(self, writer: str, request: Request) -> None:
        """Return a request that the writer has taken to the front of the queue, if it hasn't ended meanwhile."""
        cast(Any, self.server).eval(_PUT_BACK, 2, self._key("taken", writer), self._queue, request.to_json())

    def next_expected(self) -> str | None:
        """Return the bot that was expected last, and forget it."""
        return cast("str | None", self.server.lpop(self._expected))

    def hand_over(self, request: Request, writer: str, other: str) -> bool:
        """Leave a request that `writer` has taken to the other one; return whether that one is alive."""
        keys = self._key("writer", other), self._key("taken", writer), self._key("handed", other)
        return bool(cast(Any, self.server).eval(_HAND_OVER, 3, *keys, request.to_json()))

    def is_worn(self, request: Request) -> bool:
        """Return whether the request has been taken too often, this time included."""
        key = self._key("tries", request.id)
        with self.server.pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, LONGEST)
            tries = int(pipeline.execute()[0])
        return tries > TRIES

    def unwanted(self, requests: list[Request]) -> list[Request]:
        """Return those that nobody waits for any more."""
        if not requests:
            return []
        keys = [self._key("cancelled", request.id) for request in requests]
        keys += [self._key("present", request.answers) for request in requests]
        found = self.server.mget(keys)
        told = zip(requests, found[: len(requests)], found[len(requests) :], strict=True)
        return [request for request, cancelled, present in told if cancelled or not present]

    def send(self, events: Mapping[str, list[Event]]) -> None:
        """Send events to the processes that wait for them."""
        with self.server.pipeline() as pipeline:
            for process, told in events.items():
                key = self._key("answers", process)
                pipeline.rpush(key, *map(json.dumps, told))
                pipeline.expire(key, KEPT)
            pipeline.execute()

    def finish(self, writer: str, request: Request) -> None:
        """The request is done with, however it ended."""
        with self.server.pipeline() as pipeline:
            pipeline.lrem(self._key("taken", writer), 1, request.to_json())
            pipeline.zrem(self._pending, _member(request))
            pipeline.delete(self._key("tries", request.id), self._key("cancelled", request.id))
            pipeline.execute()

    def hand_back(self, writer: str) -> None:
        """Return what the writer has taken, or was left, to the front of the queue: it stops, or has died."""
        # From now on, nobody leaves it anything.
        self.server.delete(self._key("writer", writer))
        for name in ("handed", "taken"):
            while self.server.lmove(self._key(name, writer), self._queue, "RIGHT", "LEFT") is not None:
                pass
        self.server.srem(self._writers, writer)

    def bury(self) -> list[str]:
        """Hand back what dead writers have taken, and return their ids."""
        ids = self.server.smembers(self._writers)
        dead = sorted(ids - self.writers().keys())
        for writer in dead:
            self.hand_back(writer)
        return dead

    def _count_in(self, pipeline: Any, requests: Iterable[Request]) -> None:
        seconds, _ = cast("tuple[int, int]", self.server.time())
        members = {_member(request): int(seconds) + LONGEST for request in requests}
        if members:
            pipeline.zadd(self._pending, members)


def _member(request: Request) -> str:
    return f"{request.id}|{request.weight}|{request.person}"
