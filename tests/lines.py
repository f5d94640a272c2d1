"""A client of the application's sockets."""

from __future__ import annotations

from typing import Any, Final

from channels.testing import WebsocketCommunicator

#: Seconds. On a busy machine, an answer may take longer than the second that the library waits.
PATIENCE: Final = 60


class Line(WebsocketCommunicator):  # type: ignore[misc]
    """The library's client, which waits PATIENCE for whatever it waits for."""

    async def receive_output(self, timeout: float = PATIENCE) -> Any:
        return await super().receive_output(max(timeout, PATIENCE))

    async def wait(self, timeout: float = PATIENCE) -> None:
        await super().wait(max(timeout, PATIENCE))
