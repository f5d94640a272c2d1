"""The cache that all web processes share, in the broker's server; while that can't be reached, this process's own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

#: How long a server that didn't answer isn't asked again: each question would take the time-out.
PAUSE_SECONDS: Final = 5.0


class SharedCache(RedisCache):
    """For counters such as those of sign-in: without the server they still count, for this process alone."""

    def __init__(self, server: str | list[str], params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client

    def clear(self) -> None:
        """Deletes what is in this cache. Django's own would empty the database, in which the broker's queues are."""
        _Client.here.clear()
        try:
            client = self._cache.get_client(write=True)
            for key in client.scan_iter(f"{self.key_prefix}:*", count=1000):
                client.delete(key)
        except (RedisError, OSError) as error:
            logger.warning("the broker can't be reached, so its cache keeps what it has (%s)", error)


class _Client(RedisCacheClient):
    """Asks the server, and where it can't be reached what this process has in memory."""

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
                logger.warning("the broker can't be reached; this process counts by itself meanwhile (%s)", error)
        return ask_here(*arguments)

    return ask


for _name in ("add", "delete", "delete_many", "get", "get_many", "has_key", "incr", "set", "set_many", "touch"):
    setattr(_Client, _name, _either(_name))
