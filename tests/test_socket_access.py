"""Every socket, for each kind of person."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken, User
from botfactory.asgi import application
from botfactory.jobs.routing import websocket_urlpatterns
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.lines import Line
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import untrained
from tests.routes import simple
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

#: Sockets, which all belong to a thing of a person.
SOCKETS = {"/ws/jobs/{job}/"}


@pytest.fixture
def ids(corpus: Corpus, base: TrainedModel) -> dict[str, uuid.UUID]:
    job = untrained(corpus, base).job_id
    assert job is not None
    return {"job": job}


@pytest.fixture
def opened(ids: dict[str, uuid.UUID], alice: User, bob: User, admin: User) -> list[tuple[str, dict[str, str], bool]]:
    """Return person -> headers -> whether they may watch a thing of alice's."""

    def session(user: User) -> dict[str, str]:
        return {"cookie": f"sessionid={signed_in(user).cookies['sessionid'].value}", "origin": "http://localhost"}

    def token(user: User, *scopes: str, **fields: Any) -> dict[str, str]:
        new = tokens.create_token(owner=user, name="A program", scopes=scopes or ("read", "write"))
        ApiToken.objects.filter(pk=new.token.pk).update(**fields)
        return {"authorization": f"Bearer {new.text}"}

    now = timezone.now()
    return [
        ("owner, by session", session(alice), True),
        ("owner, by token", token(alice, "read"), True),
        ("owner, wrong scope", token(alice, "write"), False),
        ("owner, expired", token(alice, expires_at=now), False),
        ("owner, revoked", token(alice, revoked_at=now), False),
        ("stranger, by session", session(bob), False),
        ("stranger, by token", token(bob), False),
        ("administrator, by session", session(admin), False),
        ("administrator, by token", token(admin, "read", "write", "admin"), False),
        ("nobody", {"origin": "http://localhost"}, False),
    ]


async def test_sockets_open_for_the_owner_and_for_nobody_else(
    ids: dict[str, uuid.UUID], opened: list[tuple[str, dict[str, str], bool]], alice: User
) -> None:
    async def opens(route: str, headers: dict[str, str]) -> bool:
        sent = [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
        line = Line(application, route.format(**ids), headers=sent)
        is_open, _ = await line.connect()
        await line.disconnect()
        return bool(is_open)

    assert SOCKETS and {expected for _, _, expected in opened} == {True, False}
    for route in SOCKETS:
        for who, headers, expected in opened:
            assert await opens(route, headers) is expected, (route, who)
    await User.objects.filter(pk=alice.pk).aupdate(is_active=False)
    for route in SOCKETS:
        for who, headers, _ in opened:
            assert not await opens(route, headers), (route, who, "inactive")
    await sync_to_async(connections.close_all)()


def test_every_socket_has_an_expectation() -> None:
    *routes, rest = (f"/{simple(str(entry.pattern))}" for entry in websocket_urlpatterns)
    # The last refuses all that isn't one of the others (tests/jobs/test_consumers.py).
    assert (set(routes), rest) == (SOCKETS, "/")
