from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.webhooks.receiver import Receiver


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A receiver on this machine that the operator has allowed."""
    with Receiver() as server:
        settings.WEBHOOK_PRIVATE_SERVERS = [server.url]
        yield server
