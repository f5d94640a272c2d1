from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Queue
from publishing.queue import connecting, services
from tests.fakes.posting_servers import PASSWORD, TOKEN, BlueskyPds, Mastodon
from tests.fakes.x_posting_server import CLIENT_ID, CLIENT_SECRET, XServer
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
def x_server(settings: Any) -> Iterator[XServer]:
    with XServer() as server:
        settings.PRIVATE_SERVERS = [*settings.PRIVATE_SERVERS, server.url]
        settings.X_API_URL, settings.X_CLIENT_ID, settings.X_CLIENT_SECRET = server.url, CLIENT_ID, CLIENT_SECRET
        server.connect_app("http://testserver/accounts-of-bots/callback/x")
        yield server


@pytest.fixture
def owner(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def x_account(owner: Client, model: TrainedModel, x_server: XServer) -> Account:
    """The bot's account on X, connected as a person does it."""
    asked = owner.post(f"/models/{model.pk}/publish/connect/x", {"is_marked": "on"})
    back = x_server.consents.allow(asked["Refresh"].removeprefix("0; url="))
    assert owner.get(back)["Location"].endswith("#where")
    return Account.objects.get(network="x")


@pytest.fixture
def feed(model: TrainedModel) -> Account:
    return connecting.connect(model, "feed", {})


@pytest.fixture
def queue(model: TrainedModel) -> Queue:
    """The bot's queue, with slots at all hours."""
    return services.change(
        model, {"per_day": 24, "daily_maximum": 48, "opens": 0, "closes": 24, "quiet_from": 0, "quiet_until": 0}
    )
