"""What becomes of requests when the broker fails, hangs or forgets."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from botfactory.ops import valkey
from models_app.bots.rows import TrainedModel
from models_app.writing import outgoing
from models_app.writing import writer as writers
from models_app.writing.board import Board
from models_app.writing.requests import Facts
from tests.product import wait_for

from .desk import Desk, slowly_loaded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_a_request_is_written_though_the_broker_fails_once_it_is_taken(
    base: TrainedModel, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []

    def fails(self: Board, *_: object) -> dict[str, Facts]:
        failures.append("timed out")
        raise redis.TimeoutError("The broker is slow.")

    monkeypatch.setattr(Board, "writers", fails)
    monkeypatch.setattr(Board, "is_worn", fails)
    request = desk.ask(base)
    with desk.writer():
        assert desk.events(request)[-1]["kind"] == "done"
    assert len(failures) >= 2


@pytest.fixture
def broker_to_stop(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A broker of its own, whose writers soon give up a call."""
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "valkey.sock"
        settings.REDIS_URL = f"unix://{socket}"

        def impatient(*, waits: bool = False) -> redis.Redis[str]:
            return redis.Redis.from_url(settings.REDIS_URL, decode_responses=True, socket_timeout=0.5)

        for module, waiting in ((writers, "_WAIT"), (outgoing, "PATIENCE")):
            monkeypatch.setattr(module, "client", impatient)
            monkeypatch.setattr(module, waiting, 0.3)
            monkeypatch.setattr(module, "_PAUSE", 0.1)
        with subprocess.Popen(valkey.server_command(socket), stdout=subprocess.DEVNULL) as server:
            wait_for("the socket", socket.exists, pause=0.02)
            yield server
            server.send_signal(signal.SIGCONT)
            server.terminate()


def test_a_broker_that_hangs_and_comes_back_has_lost_no_request(
    base: TrainedModel,
    broker_to_stop: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    monkeypatch.setattr(writers, "HELD_BY_THREAD", 1)
    with desk.writer() as writer:
        with slowly_loaded(monkeypatch) as begun:
            written = desk.ask(base, seed=1)
            wait_for("it to begin", lambda: begun, pause=0.01)
            waiting = desk.ask(base, seed=2)
            broker_to_stop.send_signal(signal.SIGSTOP)
        # The writer has time for the second one now. It asks for it, and leaves before the server answers.
        wait_for("it to give up", lambda: "no requests can be taken" in caplog.text, pause=0.02)
        tried = caplog.text.count("what was written can't be sent")
        wait_for("more tries", lambda: caplog.text.count("what was written can't be sent") > tried + 2, pause=0.02)
        broker_to_stop.send_signal(signal.SIGCONT)
        events = desk.events(written, waiting, seconds=20)
        wait_for("nothing to be left", lambda: not desk.board.pending() and not desk.board.taken(writer.id))
    assert [event["kind"] for event in events if event["kind"] != "post"].count("done") >= 2
    assert f"request {waiting.id} never arrived here" in caplog.text


def test_one_that_is_stopped_while_the_broker_hangs_gives_up(
    base: TrainedModel, broker_to_stop: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    with desk.writer() as writer, slowly_loaded(monkeypatch) as begun:
        desk.ask(base)
        wait_for("it to begin", lambda: begun, pause=0.01)
        broker_to_stop.send_signal(signal.SIGSTOP)
        writer.stop()
    sending = writer._outgoing._thread
    sending.join(20)
    assert not sending.is_alive()


def test_requests_that_the_server_has_forgotten_are_asked_again(base: TrainedModel, desk: Desk) -> None:
    request = desk.ask(base)
    desk.board.server.delete(f"{desk.prefix}.queue", f"{desk.prefix}.pending")
    assert not desk.board.is_pending(request)
    desk.board.put_again(request)
    assert desk.board.is_pending(request)
    with desk.writer():
        assert desk.events(request)[-1]["kind"] == "done"
