"""The web server: uvicorn with our limits and options."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any, Final

import uvicorn
from django.conf import settings

from botfactory.edge.connections import Bounds, Connections, Http, Socket

#: Connections that may wait to be accepted.
_QUEUE: Final = 2_048
#: asyncio accepts this many in a row before it deals with any of them. So few more are open than are counted, and if no
#: more files can be opened, asyncio finds that out (and logs it) only this often a second.
_IN_A_ROW: Final = 16


class Listener(socket.socket):
    """A listening socket for asyncio, for which the length of the queue is also how many it accepts in a row."""

    def __init__(self, host: str, port: int) -> None:
        made = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        super().__init__(made.family, made.type, made.proto, fileno=made.detach())

    def listen(self, backlog: int = 0, /) -> None:
        super().listen(_QUEUE)


def server(application: Any, bounds: Bounds) -> uvicorn.Server:
    """Return a server that is run with a Listener."""
    connections = Connections(bounds)
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http=partial(Http, connections),
        ws=partial(Socket, connections),
        backlog=_IN_A_ROW,
        forwarded_allow_ips=[str(network) for network in settings.FORWARDED_ALLOW_IPS],
        lifespan="off",
        # Django's configuration holds.
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        # A page sends only a few bytes through its socket.
        ws_max_size=65_536,
        # Compressing takes longer than sending, and about 300 kB of memory for each watching page.
        ws_per_message_deflate=False,
    )
    return uvicorn.Server(config)
