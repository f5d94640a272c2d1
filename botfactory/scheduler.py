"""What has to be done again and again: look after jobs, call workers for what waits, delete what is old.

One process (`manage.py scheduler`) does it, round after round. Apps register their duties in AppConfig.ready. A duty
goes by the rows that it finds and claims what it changes, so two schedulers at once do no harm.
"""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import getpid
from typing import Final, NoReturn

import redis
from django.conf import settings
from django.db import connection

from botfactory.outages import errors

logger = logging.getLogger(__name__)

HOURLY: Final = 3600.0
#: On the broker's server, which every web process can reach. It expires when the round is too long ago.
_LAST_ROUND: Final = "botfactory.scheduler"


class SchedulerSilent(Exception):
    """No round has succeeded for `patience()` seconds."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round in which every duty succeeded: the process, and when it ended (in seconds since 1970)."""

    host: str
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class Duty:
    """`act` is called every so many seconds, or in each round if `every` is 0."""

    name: str
    act: Callable[[], object]
    every: float


_duties: dict[str, Duty] = {}


def register(name: str, act: Callable[[], object], *, every: float = 0.0) -> None:
    """Add a duty. Called in AppConfig.ready. They share one thread, so `act` leaves what takes long to workers."""
    _duties[name] = Duty(name, act, every)


class Scheduler:
    def __init__(self) -> None:
        self._not_before: dict[str, float] = {}

    def run(self) -> NoReturn:
        """Do a round every JOB_REAP_SECONDS."""
        while True:
            self.do_round()
            time.sleep(settings.JOB_REAP_SECONDS)

    def do_round(self) -> None:
        """Do what is due. A duty that fails delays no other, and is due again in the next round."""
        succeeded = [self._does(duty) for duty in _duties.values() if self._is_due(duty)]
        if all(succeeded):
            _note_round()

    def _is_due(self, duty: Duty) -> bool:
        return time.monotonic() >= self._not_before.get(duty.name, 0.0)

    def _does(self, duty: Duty) -> bool:
        try:
            duty.act()
        except Exception as error:
            # A mistake of ours is logged with its traceback.
            logger.warning("%s: failed in this round: %s", duty.name, error, exc_info=errors.classify(error) is None)
            return False
        finally:
            connection.close()
        self._not_before[duty.name] = time.monotonic() + duty.every
        return True


def patience() -> float:
    """Return after how many seconds without a successful round the scheduler counts as dead."""
    return settings.JOB_REAP_SECONDS + settings.JOB_STALE_SECONDS


def last_round() -> Round | None:
    """Return the last successful round of any scheduler; None if it's too long ago. Raises redis.RedisError."""
    with _client() as client:
        told = client.get(_LAST_ROUND)
    return None if told is None else Round(**json.loads(told))


def require_rounds() -> None:
    """Return if the scheduler does its rounds. Raises SchedulerSilent, redis.RedisError."""
    if last_round() is None:
        raise SchedulerSilent(f"no round of the scheduler has succeeded in {patience():g} s")


def _note_round() -> None:
    told = json.dumps(asdict(Round(platform.node(), getpid(), time.time())))
    try:
        with _client() as client:
            client.set(_LAST_ROUND, told, px=int(patience() * 1000))
    except redis.RedisError as error:
        logger.warning("the broker can't be reached, so nobody hears of this round: %s", error)


def _client() -> redis.Redis[str]:
    patience = settings.BROKER_OPTIONS["socket_timeout"]
    return redis.Redis.from_url(
        settings.REDIS_URL, decode_responses=True, socket_connect_timeout=patience, socket_timeout=patience
    )
