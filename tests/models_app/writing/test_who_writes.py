"""Which writer writes what, which bots it has in memory, and which it loads ahead."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from botfactory.accounts.models import User
from models_app.bots import loading
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.writing import generations
from models_app.writing import writer as writers
from models_app.writing.board import EXPECTED_EVERY, MAX_EXPECTED
from tests.product import wait_for

from .desk import FACTS, Desk, copies_of, posts_in, slowly_loaded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_many_bots_write_at_once_in_bounded_memory(base: TrainedModel, alice: User, desk: Desk) -> None:
    found = copies_of(base, alice, 8)
    one = loading.open_sampler(base).nbytes
    with desk.writer() as writer:
        writer.memory.shelf._max_bytes = 3 * one
        asked = [desk.ask(bot, count=2, copy_guard=False, seed=place) for place, bot in enumerate(found * 2)]
        most = 0

        def watch() -> None:
            nonlocal most
            while not ended.wait(0.002):
                most = max(most, writer.memory.shelf.bytes)

        ended = threading.Event()
        watching = threading.Thread(target=watch)
        watching.start()
        events = desk.events(*asked)
        ended.set()
        watching.join()
        assert 0 < most <= 3 * one and len(writer.memory.shelf) <= 3
    for place, request in enumerate(asked):
        alone, _ = generations.write(base, SamplingConfig(count=2, seed=place, copy_guard=False))
        assert sorted(posts_in(events, request)) == sorted(alone.posts)


def test_a_bot_stays_with_the_writer_that_has_it_in_memory(base: TrainedModel, desk: Desk) -> None:
    def told() -> bool:
        """Whether the board knows who has the bot, and that nobody writes."""
        known = desk.board.writers().values()
        return any(facts["bots"] for facts in known) and not any(facts["requests"] for facts in known)

    with desk.writer() as first, desk.writer() as second:
        wait_for("both", lambda: len(desk.board.writers()) == 2)
        for number in range(6):
            request = desk.ask(base, seed=number)
            assert len(posts_in(desk.events(request), request)) == 1
            # The broker would give the next request to the other one, which has waited longer.
            wait_for("them to say so", told)
        assert sorted([len(first.memory.shelf), len(second.memory.shelf)]) == [0, 1]


@pytest.mark.parametrize(
    ("requests", "has_it", "is_left"), [(0, True, True), (1, True, True), (2, True, False), (0, False, False)]
)
def test_a_request_is_left_only_to_a_writer_that_has_the_bot_and_time(
    requests: int, has_it: bool, is_left: bool, base: TrainedModel, desk: Desk
) -> None:
    bots = [f"{base.pk}.{base.sha256}"] if has_it else []
    desk.board.beat("other", FACTS | {"requests": requests, "bots": bots}, [])
    request = desk.ask(base)

    def outcome() -> str:
        if desk.board.server.llen(f"{desk.prefix}.handed.other"):
            return "left"
        return "written" if any(event["kind"] == "done" for event in desk.board.answers("desk", 0.1)) else ""

    with desk.writer():
        assert wait_for("its fate", outcome) == ("left" if is_left else "written")
    desk.board.finish("other", request)


def test_what_is_left_to_a_writer_that_dies_is_written_by_another(base: TrainedModel, desk: Desk) -> None:
    request = desk.ask(base)
    desk.board.beat("dying", FACTS, [])
    assert desk.board.take("leaving", 1) == request
    assert desk.board.hand_over(request, "leaving", "dying")
    desk.board.server.delete(f"{desk.prefix}.writer.dying")
    with desk.writer():
        assert desk.events(request)[-1]["kind"] == "done"
    assert desk.board.pending() == 0


def test_nothing_is_left_to_a_writer_that_is_gone(base: TrainedModel, desk: Desk) -> None:
    request = desk.ask(base)
    assert desk.board.take("leaving", 1) == request
    assert not desk.board.hand_over(request, "leaving", "gone")
    assert desk.board.server.llen(f"{desk.prefix}.taken.leaving") == 1


def test_an_expected_bot_is_loaded_by_one_writer_which_then_gets_its_requests(
    base: TrainedModel, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.writer() as first, desk.writer() as second:
        wait_for("both", lambda: len(desk.board.writers()) == 2)
        with slowly_loaded(monkeypatch) as begun:
            desk.board.expect(f"{base.pk}.{base.sha256}", "1")
            wait_for("one to say so", lambda: any(facts["bots"] for facts in desk.board.writers().values()))
            # Another page is opened, and somebody asks before it's there.
            desk.board.expect(f"{base.pk}.{base.sha256}", "2")
            wait_for("them to see it", lambda: not desk.board.server.exists(f"{desk.prefix}.expected"))
            request = desk.ask(base)
            wait_for("one to take it", lambda: not desk.board.server.exists(f"{desk.prefix}.queue"))
        assert desk.events(request)[-1]["kind"] == "done"
        assert begun == [base.name] and sorted([len(first.memory.shelf), len(second.memory.shelf)]) == [0, 1]


def test_a_request_joins_one_whose_bot_is_still_being_loaded(
    base: TrainedModel, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.writer() as first, desk.writer() as second:
        wait_for("both", lambda: len(desk.board.writers()) == 2)
        with slowly_loaded(monkeypatch) as begun:
            one = desk.ask(base)
            wait_for("one to say so", lambda: any(facts["bots"] for facts in desk.board.writers().values()))
            other = desk.ask(base)
            wait_for("one to take it", lambda: not desk.board.server.exists(f"{desk.prefix}.queue"))
        events = desk.events(one, other)
        assert [event["kind"] for event in events].count("done") == 2
        assert begun == [base.name] and sorted([len(first.memory.shelf), len(second.memory.shelf)]) == [0, 1]


def test_what_can_not_be_loaded_ahead_harms_nothing(
    base: TrainedModel, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with desk.writer() as writer:
        for wrong in (f"{uuid.uuid4()}.{base.sha256}", f"{base.pk}.", "none"):
            caplog.clear()
            desk.board.expect(wrong, wrong)
            wait_for("it to give up", lambda: "can't be loaded ahead" in caplog.text and not writer.facts()["bots"])
        assert desk.events(desk.ask(base))[-1]["kind"] == "done"


def test_a_busy_writer_loads_nothing_ahead(base: TrainedModel, alice: User, desk: Desk, endless: list[int]) -> None:
    (bot,) = copies_of(base, alice, 1)
    with desk.writer() as writer:
        request = desk.ask(base)
        wait_for("it to begin", lambda: endless, pause=0.01)
        desk.board.expect(f"{bot.pk}.{bot.sha256}", "1")
        time.sleep(3 * writers.LOOK)
        assert writer.facts()["bots"] == [f"{base.pk}.{base.sha256}"]
        desk.board.cancel(request)
        wait_for("it to have time", lambda: len(writer.memory.shelf) == 2)


def test_only_the_last_few_that_were_expected_are_remembered(desk: Desk) -> None:
    for number, bot in enumerate("abcdefd"):
        desk.board.expect(bot, str(number))
    # Of the same person, the next one soon after doesn't count.
    desk.board.expect("g", "0")
    assert 0 < desk.board.server.ttl(f"{desk.prefix}.expecting.0") <= EXPECTED_EVERY
    assert [desk.board.next_expected() for _ in range(MAX_EXPECTED + 1)] == [*"dfec", None]
