"""Probes of the services that the product needs. Each probe raises if its service doesn't answer."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection

from botfactory import scheduler

logger = logging.getLogger(__name__)

#: Seconds after which a service without an answer counts as down.
PATIENCE = 2.0

#: Returns once the component has answered. Any exception means that it hasn't.
Probe = Callable[[], None]


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def database_advice() -> str:
    """Return what to do if the database can't be opened."""
    if settings.DATABASE_URL:
        return "check DATABASE_URL, and that the database server is running"
    name = settings.DATABASES["default"]["NAME"]
    return f"check that {name} is readable and writable; if it's damaged, restore it from a backup"


def broker() -> None:
    with _client() as client:
        client.ping()


def broker_version() -> tuple[int, ...]:
    """Return the version of Redis that the broker is, or is compatible with. Empty if it doesn't say."""
    with _client() as client:
        try:
            found = re.match(r"(\d+)\.(\d+)", str(client.info("server").get("redis_version", "")))
        except redis.ResponseError:  # A hosted server may not allow INFO.
            found = None
    return tuple(int(part) for part in found.groups()) if found else ()


def _client() -> redis.Redis[bytes]:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry_on_timeout=False
    )


def channel_layer() -> None:
    """Send a message through the channel layer and wait until it comes back."""
    # First check that there is a server, because each failed attempt leaves a channel behind in the layer.
    broker()
    async_to_sync(_round_trip)()


async def _round_trip() -> None:
    layer = get_channel_layer()
    async with asyncio.timeout(PATIENCE):
        name = await layer.new_channel()
        await layer.send(name, {"type": "ops.ping"})
        await layer.receive(name)
    # The layer forgets a channel only when a receive on it is cancelled.
    waiting = asyncio.ensure_future(layer.receive(name))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


#: Probes by name. Strangers see only the names.
_probes: dict[str, Probe] = {
    "database": database,
    "broker": broker,
    "channel_layer": channel_layer,
    "scheduler": scheduler.require_rounds,
}


def register(name: str, probe: Probe) -> None:
    """Add a probe. Apps above call this in AppConfig.ready."""
    _probes[name] = probe


def failing() -> dict[str, bool]:
    """Return whether each component fails, by name. Only the log gives reasons, since they may contain addresses."""
    return {name: _fails(name, probe) for name, probe in _probes.items()}


def _fails(name: str, probe: Probe) -> bool:
    try:
        probe()
    except Exception as error:
        logger.warning("not ready: no answer from %s (%s: %s)", name, type(error).__name__, error)
        return True
    return False
