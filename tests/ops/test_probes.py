"""/healthz, /readyz, and who can read /metrics."""

from __future__ import annotations

import shutil
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient, Client

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.writing import board, checks
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.ops.helpers import NOWHERE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rounds"), pytest.mark.differs]

COMPONENTS = {"database", "broker", "channel_layer", "scheduler", "base_model", "writer"}
TOKEN = "a token that nobody guesses"


def test_the_process_answers_whatever_else_does_not(charlie: Client, settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    with connection.execute_wrapper(_no_query):
        answer = charlie.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer["Cache-Control"] == "no-store"


def _no_query(*args: Any) -> None:
    raise AssertionError("the database was asked")


def test_probes_are_answered_under_any_name_and_by_get_only(charlie: Client, base: TrainedModel) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert charlie.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
        assert charlie.head(path).status_code == 200
        assert charlie.post(path).status_code == 405
    assert charlie.get("/", headers={"Host": "10.1.2.3:8000"}).status_code == 400


def test_all_is_ready(charlie: Client, base: TrainedModel) -> None:
    answer = charlie.get("/readyz")
    assert answer.status_code == 200, answer.json()
    assert answer.json() == {"status": "ok", "components": dict.fromkeys(COMPONENTS, "ok"), "failing": []}


async def test_all_is_ready_under_asgi(base: TrainedModel) -> None:
    # Twice: a connection of the channel layer that belongs to another loop would fail the second time.
    client = AsyncClient()
    for _ in range(2):
        answer = await client.get("/readyz")
        assert answer.status_code == 200, answer.json()


def test_a_broker_that_is_gone_is_named_and_nothing_else_is_told(
    charlie: Client, base: TrainedModel, settings: Any
) -> None:
    settings.REDIS_URL = "redis://:the-secret@127.0.0.1:1/0"
    answer = charlie.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["failing"] == ["broker", "channel_layer", "scheduler", "writer"]
    assert "secret" not in answer.content.decode() and "127.0.0.1" not in answer.content.decode()


def test_a_base_model_that_is_gone_is_named(charlie: Client, base: TrainedModel, settings: Any) -> None:
    folder = Path(settings.CHECKPOINTS_DIR) / base.directory
    (folder / "weights.safetensors").unlink()
    assert charlie.get("/readyz").json()["failing"] == ["base_model"]
    shutil.rmtree(folder)
    answer = charlie.get("/readyz")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["base_model"])
    assert str(folder) not in answer.content.decode()


def test_a_missing_writer_is_named(charlie: Client, base: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    # A board that no writer knows. Where the real one were made to look empty, its writer would take itself for dead.
    monkeypatch.setattr(checks, "_board", lambda: board.Board(board.client(), prefix="nobody.writes.here"))
    answer = charlie.get("/readyz")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["writer"])


def test_a_database_that_is_gone_is_named(charlie: Client, base: TrainedModel) -> None:
    from django.db import OperationalError

    def gone(*args: Any) -> None:
        raise OperationalError("could not connect to server at 10.0.0.1")

    with connection.execute_wrapper(gone):
        answer = charlie.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["failing"] == ["database", "base_model"]
    assert "10.0.0.1" not in answer.content.decode()


def test_metrics_are_for_this_machine_and_for_nobody_from_elsewhere(
    charlie: Client, alice: User, admin: User, base: TrainedModel
) -> None:
    assert charlie.get("/metrics").status_code == 200
    assert charlie.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    assert charlie.get("/metrics", REMOTE_ADDR="::ffff:127.0.0.1").status_code == 200
    nowhere = charlie.get("/no-such-page", REMOTE_ADDR="203.0.113.7")
    for client in (charlie, signed_in(alice), signed_in(admin)):
        for address in ("203.0.113.7", "2001:db8::7", "", "unix:"):
            answer = client.get("/metrics", REMOTE_ADDR=address)
            assert answer.status_code == nowhere.status_code == 404
            assert "botfactory_" not in answer.content.decode()
            assert client.post("/metrics", REMOTE_ADDR=address).status_code in {403, 404}


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"])
def test_what_a_proxy_hands_on_is_not_from_this_machine(charlie: Client, header: str) -> None:
    assert charlie.get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_networks_are_let_in_by_the_setting(charlie: Client, settings: Any) -> None:
    settings.METRICS_ADDRESSES = [ip_network("10.0.0.0/8")]
    assert charlie.get("/metrics", REMOTE_ADDR="10.200.0.1").status_code == 200
    assert charlie.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 404


def test_the_token_opens_from_anywhere(charlie: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    def status(authorization: str, **headers: str) -> int:
        headers["Authorization"] = authorization
        return charlie.get("/metrics", REMOTE_ADDR="203.0.113.7", headers=headers).status_code

    assert status(f"Bearer {TOKEN}") == status(f"bearer  {TOKEN}") == 200
    assert status(f"Bearer {TOKEN}", Via="1.1 proxy") == 200
    wrong = ("Bearer ", "Bearer", f"Bearer {TOKEN}x", f"Token {TOKEN}", TOKEN, "Bearer ünï", "")
    assert [status(text) for text in wrong] == [404] * len(wrong)
    settings.METRICS_TOKEN = ""
    assert status("Bearer ") == status(f"Bearer {TOKEN}") == 404
