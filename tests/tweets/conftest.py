from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from tests.fakes.bluesky_server import BlueskyServer
from tests.fakes.mastodon_server import MastodonServer
from tests.fakes.x_api_server import TOKEN, XApiServer


@pytest.fixture
def nothing_bought_before() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def x_api(settings: Any) -> Iterator[XApiServer]:
    with XApiServer() as server:
        settings.X_API_URL, settings.X_BEARER_TOKEN = server.url, TOKEN
        yield server


@pytest.fixture
def bluesky(settings: Any) -> Iterator[BlueskyServer]:
    with BlueskyServer() as server:
        settings.BLUESKY_API_URL = server.url
        yield server


@pytest.fixture
def mastodon(settings: Any) -> Iterator[MastodonServer]:
    with MastodonServer() as server:
        settings.PRIVATE_SERVERS = [server.url]
        yield server
