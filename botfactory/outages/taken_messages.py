"""What a worker does with the messages of its running tasks when it has lost the broker: nothing.

kombu 5.7 uses the lost connection to confirm them or put them back, with an AttributeError that ends the worker. Nobody
misses such a message, because the scheduler calls workers again.
"""

from __future__ import annotations

from typing import Any

from kombu.transport.redis import QoS


class TakenMessages(QoS):
    """The messages that a worker has taken over one connection and not confirmed yet."""

    @property
    def _is_lost(self) -> bool:
        transport = self.channel.connection
        return transport is None or transport.client is None

    def ack(self, delivery_tag: str) -> None:
        if not self._is_lost:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not self._is_lost:
            super().reject(delivery_tag, requeue=requeue)

    def restore_unacked(self, client: Any = None) -> None:
        if not self._is_lost:
            super().restore_unacked(client)
