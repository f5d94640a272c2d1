"""The load of the machine counts what happens now, not what ended a minute ago."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator

import pytest

from models_app import machine_load
from models_app.machine_load import MINUTE, Load
from tests.at_once import at_once

At = Callable[[float, float], Load]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[At]:
    """Return the load at a time, in seconds, at which the system says so much."""
    machine_load.forget()

    def at_time(seconds: float, figure: float) -> Load:
        monkeypatch.setattr(time, "monotonic", lambda: seconds)
        monkeypatch.setattr(os, "getloadavg", lambda: (figure, 0.0, 0.0))
        return machine_load.lately()

    yield at_time
    machine_load.forget()


def after(seconds: float, *, before: float, since: float) -> float:
    """Return the system's figure so long after the load has changed from one number of processes to another."""
    return since + (before - since) * math.exp(-seconds / MINUTE)


@pytest.mark.parametrize("since", [0.0, 0.5, 6.0])
def test_what_ended_before_the_last_reading_does_not_count(at: At, since: float) -> None:
    assert at(1000, 8.0) == Load(8.0)
    assert at(1010, after(10, before=8, since=since)).mean == pytest.approx(after(10, before=8, since=since))
    later = at(1040, after(40, before=8, since=since))
    assert later.mean == pytest.approx(since, abs=1e-9) and later.reach == 30
    # Hours later, there's nothing to take away.
    assert at(9000, 2.0).mean == pytest.approx(2.0)


def test_many_requests_do_not_push_out_what_is_old_enough(at: At) -> None:
    at(1000, 8.0)
    for number in range(2000):
        at(1020 + number / 100, after(20 + number / 100, before=8, since=1))
    assert at(1041, after(41, before=8, since=1)).mean == pytest.approx(1.0)


def test_requests_at_once_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_load, "PAUSE", 0.0)
    loads = at_once(8, lambda: [machine_load.lately() for _ in range(2000)])
    assert all(load.mean >= 0 for each in loads for load in each)


def test_the_share_of_what_ran_for_a_while() -> None:
    whole, part = Load(1.0), Load(1.0, reach=30)
    assert [load.share_until(0) for load in (whole, part)] == [1.0, 1.0]
    assert whole.share_until(60) == pytest.approx(math.exp(-1)) and part.share_until(60) == part.share_until(30) == 0
    # A process that ran in the last 20 s and one that ran before make up all that ran since.
    edge = math.exp(-30 / MINUTE)
    assert part.share_until(20) == pytest.approx((math.exp(-20 / MINUTE) - edge) / (1 - edge))


def test_where_the_system_says_nothing_the_load_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> None:
        raise OSError("no load average")

    monkeypatch.setattr(os, "getloadavg", unknown)
    assert machine_load.of_last_minute() == 0.0
