"""Answers in pieces hold no connection to the database while somebody reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test import AsyncClient
from django.urls import reverse

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.downloads import files
from tests.rest.helpers import V1
from tweets.corpora import export

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
async def close_connections() -> AsyncIterator[None]:
    """Close the database session of the thread that reads rows for an async test."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.mark.parametrize("what", ["posts", "account", "bot"])
async def test_who_reads_for_long_takes_no_connection_from_others(
    alice: User, bot: TrainedModel, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 5)
    monkeypatch.setattr(files, "CHUNK", 1000)
    address = {
        "posts": reverse("export_corpus", args=[bot.corpus_id]),
        "account": reverse("export_account"),
        "bot": f"{V1}/models/{bot.pk}/download",
    }[what]
    client = AsyncClient()
    await client.aforce_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer: Any = await client.get(address)
    assert answer.status_code == 200
    pieces = aiter(answer.streaming_content)
    await anext(pieces)
    assert await sync_to_async(lambda: connection.connection)() is None
    assert len([piece async for piece in pieces]) > 1
