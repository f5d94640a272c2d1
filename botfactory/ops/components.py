"""What the product needs to be of use: each component is asked itself, and raises where it does not answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)

#: A service that has not answered after so many seconds counts as gone.
PATIENCE = 2.0

#: Returns once the component has answered; any exception says that it has not.
Probe = Callable[[], None]


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def broker() -> None:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry_on_timeout=False
    )
    try:
        client.ping()
    finally:
        client.close()


def channel_layer() -> None:
    """A message has come back through the channel layer."""
    # First whether there is a server at all: each failed attempt leaves a channel behind in the layer.
    broker()
    async_to_sync(_round_trip)()


async def _round_trip() -> None:
    layer = get_channel_layer()
    async with asyncio.timeout(PATIENCE):
        name = await layer.new_channel()
        await layer.send(name, {"type": "ops.ping"})
        await layer.receive(name)
    # The layer forgets a channel only where waiting on it is given up.
    waiting = asyncio.ensure_future(layer.receive(name))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


#: By name, which is all that strangers are told.
_probes: dict[str, Probe] = {"database": database, "broker": broker, "channel_layer": channel_layer}


def register(name: str, probe: Probe) -> None:
    """For AppConfig.ready: apps above say what else has to be there."""
    _probes[name] = probe


def failing() -> dict[str, bool]:
    """Each component by its name: whether it fails. Why it does is in the log only: it may name addresses."""
    return {name: _fails(name, probe) for name, probe in _probes.items()}


def _fails(name: str, probe: Probe) -> bool:
    try:
        probe()
    except Exception as error:
        logger.warning("not ready: %s does not answer (%s: %s)", name, type(error).__name__, error)
        return True
    return False
