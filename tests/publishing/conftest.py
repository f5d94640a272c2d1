from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from models_app.bots.rows import TrainedModel
from publishing.models import Account, Queue
from publishing.queue import connecting, services
from tests.fakes.posting_servers import PASSWORD, TOKEN, BlueskyPds, Mastodon
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import untrained
from tweets.models import Corpus


@pytest.fixture
def model(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    """A bot of alice."""
    return untrained(corpus, base)


@pytest.fixture
def pds(settings: Any) -> Iterator[BlueskyPds]:
    with BlueskyPds() as server:
        settings.PRIVATE_SERVERS = [*settings.PRIVATE_SERVERS, server.url]
        yield server


@pytest.fixture
def mastodon(settings: Any) -> Iterator[Mastodon]:
    with Mastodon() as server:
        settings.PRIVATE_SERVERS = [*settings.PRIVATE_SERVERS, server.url]
        yield server


@pytest.fixture
def bluesky(model: TrainedModel, pds: BlueskyPds) -> Account:
    """The bot's account on Bluesky."""
    entered = {"identifier": "bot.test", "password": PASSWORD, "server": pds.url}
    return connecting.connect(model, "bluesky", entered)


@pytest.fixture
def fediverse(model: TrainedModel, mastodon: Mastodon) -> Account:
    """The bot's account on Mastodon."""
    return connecting.connect(model, "mastodon", {"server": mastodon.url, "token": TOKEN})


@pytest.fixture
def feed(model: TrainedModel) -> Account:
    return connecting.connect(model, "feed", {})


@pytest.fixture
def queue(model: TrainedModel) -> Queue:
    """The bot's queue, with slots at all hours."""
    return services.change(
        model, {"per_day": 24, "daily_maximum": 48, "opens": 0, "closes": 24, "quiet_from": 0, "quiet_until": 0}
    )
