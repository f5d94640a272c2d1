"""Writers: what happens to requests when a writer is killed or stopped, and what they keep in memory."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings

from botfactory.accounts.models import User
from botfactory.ops import valkey
from models_app import loading, model_files, services
from models_app.base_models import versions
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.sampler import Sampler
from models_app.models import TrainedModel
from models_app.writing import outgoing
from models_app.writing import writer as writers
from models_app.writing.board import EXPECTED_EVERY, MAX_EXPECTED, TRIES, Board, Bounds, client
from models_app.writing.requests import Event, Facts, Request
from models_app.writing.writer import Writer
from tests.product import save_small_base, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

FACTS = Facts(host="here", pid=1, threads=1, rate=1000.0, requests=0, models=0, bots=[], megabytes=0.0)
FREE = Bounds(weight=10**6, slots=100, requests=100)


class Desk:
    """A web process of its own with a board of its own."""

    def __init__(self) -> None:
        self.prefix = f"test-{uuid.uuid4()}"
        self.board = Board(client(waits=True), self.prefix)
        self.board.present("desk")

    def ask(self, model: TrainedModel, **values: object) -> Request:
        sampling = services.seeded(SamplingConfig(**values))  # type: ignore[arg-type]
        request = Request(
            id=uuid.uuid4().hex,
            model=str(model.pk),
            sha256=model.sha256,
            person="1",
            answers="desk",
            weight=100,
            sampling=sampling.as_dict(),
        )
        assert self.board.admit(request, FREE)[0]
        return request

    def events(self, *requests: Request, seconds: float = 60) -> list[Event]:
        """Return all messages until each of these has ended."""
        waiting, found = {request.id for request in requests}, []
        deadline = time.monotonic() + seconds
        while waiting:
            assert time.monotonic() < deadline, f"no end of {waiting}"
            self.board.present("desk")
            for event in self.board.answers("desk", 0.2):
                found.append(event)
                if event["kind"] != "post":
                    waiting.discard(event["request"])
        return found

    @contextmanager
    def writer(self, *, megabytes: int = 200) -> Iterator[Writer]:
        writer = Writer(threads=1, megabytes=megabytes, prefix=self.prefix)
        thread = threading.Thread(target=writer.run)
        thread.start()
        try:
            yield writer
        finally:
            writer.stop()
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def posts_in(events: list[Event], request: Request) -> list[str]:
    return [event["post"] for event in events if event["kind"] == "post" and event["request"] == request.id]


def test_what_a_killed_writer_had_begun_is_written_by_another(base: TrainedModel, desk: Desk) -> None:
    request = desk.ask(base, count=3, seed=5)
    desk.board.beat("killed", FACTS, [])
    assert desk.board.take("killed", 1) == request
    desk.board.server.delete(f"{desk.prefix}.writer.killed")
    with desk.writer():
        events = desk.events(request)
    assert sorted(posts_in(events, request)) == sorted(services.write(base, SamplingConfig(count=3, seed=5))[0].posts)
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


def copies_of(base: TrainedModel, owner: User, count: int) -> list[TrainedModel]:
    """Bots with files of their own."""
    made = []
    for number in range(count):
        bot = TrainedModel(owner=owner, name=f"Bot {number}", sha256=base.sha256, network=base.network)
        bot.directory = f"users/{owner.pk}/{bot.pk}"
        shutil.copytree(model_files.path_of(base), model_files.path_of(bot))
        bot.save()
        made.append(bot)
    return made


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
        alone, _ = services.write(base, SamplingConfig(count=2, seed=place, copy_guard=False))
        assert sorted(posts_in(events, request)) == sorted(alone.posts)


def test_bots_of_the_other_kind_of_network_write_too(alice: User, base: TrainedModel, desk: Desk) -> None:
    folder = Path(settings.CHECKPOINTS_DIR)
    shutil.rmtree(folder / "base")
    save_small_base(folder, kind="lstm")
    lstm = versions.add_version(folder / "base", name="lstm", origin=TrainedModel.Origin.UPLOADED)
    asked = [desk.ask(lstm, count=5, seed=1), desk.ask(base, count=5, seed=1), desk.ask(lstm, count=1, seed=2)]
    with desk.writer():
        events = desk.events(*asked)
    for request, model in zip(asked, (lstm, base, lstm), strict=True):
        alone, _ = services.write(model, SamplingConfig.from_dict(request.sampling or {}))
        assert sorted(posts_in(events, request)) == sorted(alone.posts)


def test_it_says_of_itself_what_it_does(base: TrainedModel, desk: Desk) -> None:
    with desk.writer() as writer:
        desk.events(desk.ask(base))
        facts = wait_for("a sign of life", lambda: desk.board.writers().get(writer.id))
        assert facts["threads"] == 1 and facts["rate"] > 0
        assert wait_for("news", lambda: desk.board.writers()[writer.id]["models"] == 1)


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


@contextmanager
def slowly_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Models that are loaded once this ends, and which have begun to be."""
    begun: list[str] = []
    goes_on = threading.Event()
    open_sampler = loading.open_sampler

    def slowly(model: TrainedModel) -> Sampler:
        begun.append(model.name)
        assert goes_on.wait(60)
        return open_sampler(model)

    monkeypatch.setattr(loading, "open_sampler", slowly)
    try:
        yield begun
    finally:
        goes_on.set()


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
