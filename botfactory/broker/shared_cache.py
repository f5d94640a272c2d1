"""The cache that all web processes share, on the broker's server. If that is down, each process uses its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

#: Seconds without calls after a server didn't answer, because each call would take the whole timeout.
PAUSE_SECONDS: Final = 5.0


class SharedCache(RedisCache):
    """A cache for counters such as those of sign-in. Without the server they still count, in this process only."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client

    def clear(self) -> None:
        """Delete this cache's keys. Django's method would empty the whole database, with the broker's queues."""
        _Client.here.clear()
        try:
            client = self._cache.get_client(write=True)
            for key in client.scan_iter(f"{self.key_prefix}:*", count=1000):
                client.delete(key)
        except (RedisError, OSError) as error:
            logger.warning("can't reach the broker, so its cache isn't cleared (%s)", error)


class _Client(RedisCacheClient):
    """Uses the server, or the memory of this process if the server can't be reached."""

    #: Shared by the threads of this process.
    here: ClassVar = LocMemCache("without the broker", {"OPTIONS": {"MAX_ENTRIES": 10_000}})
    ask_again_at: ClassVar[float] = 0.0


def _either(name: str) -> Callable[..., Any]:
    ask_server, ask_here = getattr(RedisCacheClient, name), getattr(_Client.here, name)

    def ask(client: _Client, *arguments: Any) -> Any:
        if time.monotonic() >= _Client.ask_again_at:
            try:
                return ask_server(client, *arguments)
            except (RedisError, OSError) as error:
                _Client.ask_again_at = time.monotonic() + PAUSE_SECONDS
                logger.warning("can't reach the broker, so this process counts by itself for now (%s)", error)
        return ask_here(*arguments)

    return ask


for _name in ("add", "delete", "delete_many", "get", "get_many", "has_key", "incr", "set", "set_many", "touch"):
    setattr(_Client, _name, _either(_name))
