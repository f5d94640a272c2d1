"""Writers: what happens to requests when a writer is killed or stopped, and what writers say of themselves."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from botfactory.accounts.models import User
from models_app.bots import versions
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.training import evaluating
from models_app.writing import generations
from models_app.writing import writer as writers
from models_app.writing.board import TRIES
from tests.product import save_small_base, wait_for

from .desk import FACTS, Desk, posts_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_what_a_killed_writer_had_begun_is_written_by_another(base: TrainedModel, desk: Desk) -> None:
    request = desk.ask(base, count=3, seed=5)
    desk.board.beat("killed", FACTS, [])
    assert desk.board.take("killed", 1) == request
    desk.board.server.delete(f"{desk.prefix}.writer.killed")
    with desk.writer():
        events = desk.events(request)
    assert sorted(posts_in(events, request)) == sorted(
        generations.write(base, SamplingConfig(count=3, seed=5))[0].posts
    )
    assert desk.board.pending() == 0 and desk.board.writers() == {}


def test_one_that_is_alive_keeps_what_it_has(base: TrainedModel, desk: Desk) -> None:
    kept = desk.ask(base)
    desk.board.beat("alive", FACTS, [])
    assert desk.board.take("alive", 1) == kept
    with desk.writer():
        other = desk.ask(base)
        events = desk.events(other)
        time.sleep(1.5)
        assert {event["request"] for event in events} == {other.id}
        assert desk.board.pending() == 1


def test_a_request_that_its_writers_die_of_is_given_up(base: TrainedModel, desk: Desk) -> None:
    request = desk.ask(base)
    for number in range(TRIES):
        writer = f"killed {number}"
        desk.board.beat(writer, FACTS, [])
        taken = desk.board.take(writer, 1)
        assert taken == request and not desk.board.is_worn(taken)
        desk.board.server.delete(f"{desk.prefix}.writer.{writer}")
        assert desk.board.bury() == [writer]
    with desk.writer():
        (event,) = desk.events(request)
    assert event["kind"] == "failed" and event["code"] == "writing_interrupted"
    assert desk.board.pending() == 0


def test_one_that_is_stopped_finishes_what_is_short_and_hands_back_the_rest(
    base: TrainedModel, desk: Desk, endless: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "GRACE", 0.3)
    with desk.writer():
        request = desk.ask(base, count=2, seed=1)
        wait_for("it to begin", lambda: endless, pause=0.01)
    assert not endless
    assert desk.board.pending() == 1 and desk.board.writers() == {}
    monkeypatch.undo()
    with desk.writer():
        assert len(posts_in(desk.events(request), request)) == 2


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What measuring waits for until it's set."""
    goes_on, evaluate = threading.Event(), evaluating.evaluate

    def slowly(*values: Any, **more: Any) -> evaluating.Evaluated:
        assert goes_on.wait(60)
        return evaluate(*values, **more)

    monkeypatch.setattr(evaluating, "evaluate", slowly)
    yield goes_on
    goes_on.set()


def test_posts_to_measure_hold_up_nobody_who_writes(base: TrainedModel, desk: Desk, held_up: threading.Event) -> None:
    with desk.writer():
        measured = [desk.measure(base, "hello there") for _ in range(writers.HELD_BY_THREAD + 1)]
        written = desk.ask(base, seed=1)
        assert len(posts_in(desk.events(written), written)) == 1
        held_up.set()
        assert {event["kind"] for event in desk.events(*measured)} == {"done"}
    assert desk.board.pending() == 0


def test_one_that_is_stopped_hands_back_what_it_has_not_measured(
    base: TrainedModel, desk: Desk, held_up: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "GRACE", 0.1)
    with desk.writer() as writer:
        begun, waiting, unwanted = (desk.measure(base, "hello there") for _ in range(3))
        wait_for("it to take them", lambda: writer.facts()["requests"] == 3)
        desk.board.cancel(unwanted)
        wait_for("it to drop one", lambda: writer.facts()["requests"] == 2)
    assert desk.board.pending() == 2
    held_up.set()
    with desk.writer():
        assert {event["kind"] for event in desk.events(begun, waiting)} == {"done"}


def test_it_stops_for_a_web_process_that_is_gone(base: TrainedModel, desk: Desk, endless: list[int]) -> None:
    with desk.writer():
        desk.ask(base)
        wait_for("it to begin", lambda: endless, pause=0.01)
        desk.board.server.delete(f"{desk.prefix}.present.desk")
        wait_for("it to end", lambda: not endless, 50)
        assert wait_for("it to count no longer", lambda: not desk.board.pending())


def test_what_is_cancelled_before_anybody_takes_it_is_never_begun(base: TrainedModel, desk: Desk) -> None:
    cancelled, wanted = desk.ask(base), desk.ask(base)
    desk.board.cancel(cancelled)
    with desk.writer():
        assert {event["request"] for event in desk.events(wanted)} == {wanted.id}


def test_bots_of_the_other_kind_of_network_write_too(alice: User, base: TrainedModel, desk: Desk) -> None:
    folder = Path(settings.CHECKPOINTS_DIR)
    shutil.rmtree(folder / "base")
    save_small_base(folder, kind="lstm")
    lstm = versions.add_version(folder / "base", name="lstm", origin=TrainedModel.Origin.UPLOADED)
    asked = [desk.ask(lstm, count=5, seed=1), desk.ask(base, count=5, seed=1), desk.ask(lstm, count=1, seed=2)]
    with desk.writer():
        events = desk.events(*asked)
    for request, model in zip(asked, (lstm, base, lstm), strict=True):
        alone, _ = generations.write(model, SamplingConfig.from_dict(request.sampling or {}))
        assert sorted(posts_in(events, request)) == sorted(alone.posts)


def test_it_says_of_itself_what_it_does(base: TrainedModel, desk: Desk) -> None:
    with desk.writer() as writer:
        desk.events(desk.ask(base))
        facts = wait_for("a sign of life", lambda: desk.board.writers().get(writer.id))
        assert facts["threads"] == 1 and min(facts["rates"].values()) > 0
        assert wait_for("news", lambda: desk.board.writers()[writer.id]["models"] == 1)
