"""The engine of a writer: the order, shared passes, what an error ends, and what is measured."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from models_app.ml.config import SamplingConfig
from models_app.ml.networks.states import Arrays
from models_app.ml.sampling.outcome import Refused, Writing
from models_app.ml.sampling.sampler import Drawing, Sampler, Step, Stepped
from models_app.writing import engine as engines
from models_app.writing.engine import Engine, Stopped, Work
from tests.ml.conftest import TINY_GLR, random_checkpoint


class State:
    """Stands for the keys and values of many texts."""


WRITTEN = Writing(["a post"], Refused())


class Clockwork:
    """A model whose steps take a given time, and that records which requests shared each pass."""

    def __init__(self, seconds: float = 0.001) -> None:
        self.seconds, self.passes, self.trouble = seconds, [0], 0

    def steps(self, steps: Sequence[Step]) -> list[Stepped]:
        if len(steps) > self.trouble > 0:
            raise MemoryError
        self.passes.append(len(steps))
        time.sleep(self.seconds)
        return [(np.zeros((len(step.symbols), 1), np.float32), Arrays()) for step in steps]


def drawing(steps: int, rows: int = 1) -> Drawing:
    for _ in range(steps):
        yield Step(np.zeros(rows, np.intp), None)
    return WRITTEN


class Results:
    """Return the result of each request, in the order in which they ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, Writing | BaseException]] = []
        self._changed = threading.Condition()

    def work(self, name: str, model: Any, drawing: Drawing, kind: str = "quick") -> Work:
        def done(outcome: Writing | BaseException) -> None:
            with self._changed:
                self.ended.append((name, outcome))
                self._changed.notify_all()

        return Work(model, drawing, kind=kind, weight=100, done=done)

    def wait(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ended) == count, 60)
        return [name for name, _ in self.ended]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(1, rates={"quick": 50, "fluent": 5})
    yield engine
    engine.close()


def test_a_long_request_does_not_hold_up_a_short_one_and_ends_all_the_same(engine: Engine) -> None:
    results = Results()
    engine.submit(results.work("long", Clockwork(), drawing(3000)))
    time.sleep(engines.YOUNG + 0.2)
    for number in range(5):
        engine.submit(results.work(f"short {number}", Clockwork(), drawing(20)))
    assert results.wait(6) == [*(f"short {number}" for number in range(5)), "long"]
    assert all(outcome == WRITTEN for _, outcome in results.ended)


def test_beside_young_ones_an_old_one_has_every_fourth_slice(engine: Engine) -> None:
    engine.close()
    results = Results()
    works = [results.work(name, Clockwork(), drawing(1)) for name in ("old", "young", "younger")]
    works[0].seconds = engines.YOUNG
    engine._works = works
    turns = []
    for _ in range(8):
        (next_one,) = engine._next()
        turns.append(works.index(next_one))
        next_one.is_running = False
    # Of the young ones, the first that came goes on until it has ended.
    assert turns == [1, 1, 1, 0, 1, 1, 1, 0]


def test_requests_of_one_model_share_passes_and_those_of_others_have_their_own(engine: Engine) -> None:
    results, one, other = Results(), Clockwork(0.005), Clockwork(0.005)
    for number in range(6):
        engine.submit(results.work(f"one {number}", one, drawing(30)))
    engine.submit(results.work("other", other, drawing(30)))
    results.wait(7)
    assert max(one.passes) >= 5 and max(other.passes) == 1
    assert len(one.passes) < 100


def test_what_has_many_rows_has_its_passes_alone(engine: Engine) -> None:
    results, model = Results(), Clockwork(0.005)
    for number in range(3):
        engine.submit(results.work(str(number), model, drawing(30, rows=engines.MAX_ROWS)))
    results.wait(3)
    # A pass that hasn't begun yet counts as one row.
    assert model.passes.count(1) >= 60


def test_requests_that_share_passes_write_what_each_writes_alone() -> None:
    sampler = Sampler(random_checkpoint(TINY_GLR))
    asked = [SamplingConfig(count=count, seed=count, max_characters=60) for count in (1, 3, 5, 9, 5)]
    results, engine = Results(), Engine(2, rates={"quick": 50})
    for place, config in enumerate(asked):
        engine.submit(results.work(str(place), sampler, sampler.draw(config)))
    results.wait(len(asked))
    engine.close()
    assert dict(results.ended) == {str(place): sampler.generate(config) for place, config in enumerate(asked)}


def test_an_error_ends_only_the_request_that_has_it(engine: Engine) -> None:
    def broken() -> Drawing:
        yield Step(np.zeros(1, np.intp), None)
        raise RuntimeError("broken")

    results, model = Results(), Clockwork(0.002)
    engine.submit(results.work("first", model, drawing(50)))
    engine.submit(results.work("broken", model, broken()))
    engine.submit(results.work("last", model, drawing(50)))
    results.wait(3)
    found = dict(results.ended)
    assert found["first"] == found["last"] == WRITTEN
    assert isinstance(found["broken"], RuntimeError)


@pytest.mark.parametrize(("trouble", "ends_as"), [(1, Writing), (0.5, MemoryError)])
def test_where_a_shared_pass_fails_each_is_tried_alone(engine: Engine, trouble: Any, ends_as: type) -> None:
    results, model = Results(), Clockwork(0.002)
    model.trouble = trouble
    for number in range(3):
        engine.submit(results.work(str(number), model, drawing(20)))
    results.wait(3)
    assert all(isinstance(outcome, ends_as) for _, outcome in results.ended)


def test_what_is_stopped_ends_soon_and_so_does_all_at_the_end() -> None:
    engine, results = Engine(1, rates={"quick": 50, "fluent": 5}), Results()
    works = [results.work(str(number), Clockwork(), drawing(100_000)) for number in range(3)]
    for work in works:
        engine.submit(work)
    works[1].stop()
    assert results.wait(1) == ["1"]
    engine.close()
    assert len(results.wait(3)) == 3
    assert all(isinstance(outcome, Stopped) for _, outcome in results.ended)


def test_the_state_of_a_request_goes_when_it_ends(engine: Engine) -> None:
    states: list[weakref.ref[State]] = []

    def stepping() -> Drawing:
        for _ in range(3):
            state = State()
            states.append(weakref.ref(state))
            yield Step(np.zeros(1, np.intp), state)  # type: ignore[arg-type]
            del state
        return WRITTEN

    results = Results()
    engine.submit(results.work("one", Clockwork(), stepping()))
    results.wait(1)
    gc.collect()
    assert len(states) == 3 and not any(state() for state in states)


def test_the_rates_follow_what_is_measured_each_by_itself(engine: Engine) -> None:
    results = Results()
    assert engine.rates == {"quick": 50, "fluent": 5}
    for number in range(40):
        # A weight of 100 in 20 ms or more.
        engine.submit(results.work(str(number), Clockwork(), drawing(20)))
    results.wait(40)
    assert 500 < engine.rates["quick"] < 5000 and engine.rates["fluent"] == 5


def test_a_rate_falls_while_the_first_request_on_a_busy_machine_is_still_written(engine: Engine) -> None:
    results = Results()
    for number in range(20):
        engine.submit(results.work(str(number), Clockwork(), drawing(100), "fluent"))
    results.wait(20)
    alone = engine.rates["fluent"]
    engine.submit(results.work("beside a training", Clockwork(0.02), drawing(200), "fluent"))
    time.sleep(3)
    assert len(results.ended) == 20 and engine.rates["fluent"] < 0.6 * alone
