"""The time estimate of a training, from the measured speed of the machine and its load."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import processes
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app import estimates, machine_load, machines, tiers
from models_app.base_models import adding
from models_app.machines import cores_left
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.training.machine_speed import Measured
from models_app.models import Tier, TrainedModel, TrainingMachine
from tests.conftest import signed_in
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)

#: A machine with two cores: 10,000 symbols per core and second, 1.6 cores for a training alone.
ALONE = Measured(symbols_per_core_second=10_000, cores_used=1.6, cores_had=1.6, cores=2)

Load = Callable[[float], None]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Set the load average of this machine, as if it had been like that for ever."""
    machine_load.forget()
    monkeypatch.setattr(time, "process_time", lambda: 0.0)

    def of(number: float) -> None:
        monkeypatch.setattr(os, "getloadavg", lambda: (number, 0.0, 0.0))

    of(0.0)
    return of


def seconds() -> float:
    """For 100,000 characters, twice."""
    return estimates.estimate(100_000).seconds(2)


def running(owner: User, *, minutes: float = 5, ended: float | None = None, **values: Any) -> Job:
    now = timezone.now()
    known: dict[str, Any] = {"kind": "fine_tune", "queue": "train", "state": State.RUNNING, "title": "Train it"}
    if ended is not None:
        known |= {"state": State.SUCCEEDED, "finished_at": now - timedelta(minutes=ended)}
    known |= {"worker": f"{processes.here()}:1", "claimed_at": now - timedelta(minutes=minutes)}
    return Job.objects.create(owner=owner, **known | values)


@pytest.mark.parametrize(
    ("others", "weight", "left"),
    [
        (0.0, 1.0, 1.6),
        (0.4, 1.0, 1.6),  # two cores are enough for both
        (1.0, 1.0, 1.6 * 2 / 2.6),  # a fair share
        (1.0, 0.3, 1.0),  # what the other one leaves
        (4.0, 1.0, 1.6 * 2 / 5.6),
        (90.0, 0.1, machines.MIN_CORES),
    ],
)
def test_a_training_gets_what_is_left_or_its_share(others: float, weight: float, left: float) -> None:
    assert cores_left(wanted=1.6, cores=2, others=others, weight=weight) == pytest.approx(left)


def test_before_the_first_training_the_estimate_is_what_was_measured(load: Load) -> None:
    before = seconds()
    assert before == pytest.approx(estimates.STARTING_SECONDS + 200_000 / machines.TYPICAL_SPEED[Tier.QUICK])
    machines.note(ALONE)
    assert seconds() == pytest.approx(estimates.PREPARED_SECONDS + 200_000 / 16_000)
    machines.note(Measured(symbols_per_core_second=1_000, cores_used=1.6, cores_had=1.6, cores=2))
    assert seconds() == pytest.approx(estimates.PREPARED_SECONDS + 200_000 / 1_600)
    assert TrainingMachine.objects.count() == 1


def test_the_first_fluent_training_reads_what_the_measured_machine_reads_in_its_time(load: Load) -> None:
    assert machines.pace(Tier.FLUENT).speed == machines.TYPICAL_SPEED[Tier.FLUENT]
    # Without fast products in bfloat16.
    slow = Measured(symbols_per_core_second=2_000, cores_used=2.0, cores_had=2.0, cores=2)
    machines.note(slow, products_per_symbol=0.09 * machines.FLUENT_PRODUCTS)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(360)
    read = estimates.reading_within(5, 1_000_000).most_characters
    assert estimates.MIN_READ < read < 300 * 360
    assert estimates.estimate(1_000_000, Tier.FLUENT, read).seconds(1) == pytest.approx(300, rel=0.02)


def test_what_a_quick_base_says_of_fluent_trainings_does_not_depend_on_its_size(load: Load) -> None:
    machines.note(ALONE, products_per_symbol=3e6)
    of_bytes = machines.pace(Tier.FLUENT).speed
    # A token of 2.7 characters takes as many products, in the same time.
    machines.note(ALONE, characters_per_symbol=2.7, products_per_symbol=3e6)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(of_bytes)
    # A network of half the size does twice as many steps.
    twice = replace(ALONE, symbols_per_core_second=2 * ALONE.symbols_per_core_second)
    machines.note(twice, characters_per_symbol=2.7, products_per_symbol=1.5e6)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(of_bytes)


def test_a_machine_that_an_earlier_version_measured_is_as_fast_at_fluent_trainings_as_a_typical_one(load: Load) -> None:
    machines.note(ALONE)
    typical = machines.TYPICAL_SPEED[Tier.FLUENT] / machines.TYPICAL_SPEED[Tier.QUICK]
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(machines.pace(Tier.QUICK).speed * typical)


def _expected(model: TrainedModel) -> float:
    return adding.facts_of(model, machines.speed_when_idle(Tier.FLUENT)).characters_per_second


def test_what_is_expected_of_another_base_is_what_was_measured_scaled_by_its_size(
    load: Load, fluent: TrainedModel
) -> None:
    smaller = tiers.PARAMETERS / LlamaConfig.from_dict(fluent.network).parameters
    typical = machines.TYPICAL_SPEED[Tier.FLUENT] * smaller
    assert _expected(fluent) == pytest.approx(typical)
    measured = Measured(symbols_per_core_second=2_000, cores_used=2.0, cores_had=1.0, cores=2)
    machines.note(measured, products_per_symbol=0.09 * machines.FLUENT_PRODUCTS)
    load(2)
    assert _expected(fluent) == pytest.approx(2_000 * 2 * 0.09 * smaller)


def test_a_machine_that_has_other_work_now_takes_longer(load: Load) -> None:
    machines.note(ALONE)
    idle = seconds()
    load(0.3)
    assert seconds() == pytest.approx(idle)
    load(4.0)
    # Beside processes with priority, a training gets little. `nice` is that of this process, which others may share.
    assert 2.5 * idle < seconds() < 8 * idle


def test_what_others_left_it_while_it_was_measured_says_what_they_will_leave(load: Load) -> None:
    load(2.0)
    machines.note(Measured(symbols_per_core_second=10_000, cores_used=1.6, cores_had=0.5, cores=2))
    assert machines.pace().speed == pytest.approx(5_000)
    load(0.0)
    assert machines.pace().speed == pytest.approx(16_000)
    load(4.0)
    assert 2_500 <= machines.pace().speed < 5_000


def test_the_load_of_trainings_that_end_before_is_none(load: Load, alice: User) -> None:
    machines.note(ALONE)
    idle = seconds()
    # One that is running, and one that just ended, which the load average still includes.
    running(alice)
    running(alice, minutes=1, ended=0.01)
    load(2.5)
    assert seconds() == pytest.approx(idle)
    running(alice, worker="elsewhere:1")
    assert seconds() == pytest.approx(idle)


def test_trainings_at_the_same_time_share_the_cores(load: Load, alice: User) -> None:
    machines.note(ALONE)
    idle = seconds()
    load(3.2)
    running(alice)
    one = running(alice)
    beside = seconds()
    assert 1.5 * idle < beside < 3 * idle
    one.delete()
    load(1.6)
    assert seconds() == pytest.approx(idle)
    # A training from a command takes no turn: it runs beside the others.
    Job.objects.update(at_terminal=True)
    assert seconds() == pytest.approx(beside, rel=0.05)


def test_the_load_of_this_machine_says_nothing_about_another(load: Load) -> None:
    machines.note(ALONE)
    idle = seconds()
    TrainingMachine.objects.update(machine="another", host="gpu-box")
    load(9.0)
    assert seconds() == pytest.approx(idle)


def test_trainings_that_have_ended_say_how_fast_they_go_with_the_cores_that_there_are_now(
    load: Load, alice: User
) -> None:
    machines.note(ALONE)
    values: dict[str, Any] = {"owner": alice, "directory": "none", "sha256": "0" * 64}
    bot = TrainedModel.objects.create(name="Bot", characters_per_second=4_000, cores_used=0.5, **values)
    assert machines.pace().speed == pytest.approx(4_000 / 0.5 * 1.6)
    # Of an earlier version, which did not count cores.
    TrainedModel.objects.filter(pk=bot.pk).update(cores_used=None)
    assert machines.pace().speed == 4_000
    TrainingMachine.objects.all().delete()
    assert machines.pace() == machines.Pace(4_000, 1.0, False)


def test_machines_that_are_gone_are_forgotten(load: Load) -> None:
    TrainingMachine.objects.create(
        machine="old", host="old", cores=2, cores_used=1, cores_had=1, others=0, nice=0, speed=1,
        measured_at=timezone.now() - 2 * machines.FORGOTTEN,
    )  # fmt: skip
    machines.note(ALONE)
    assert [row.machine for row in TrainingMachine.objects.all()] == [processes.boot()]


def test_the_page_of_a_corpus_tells_the_same_as_the_estimate(
    load: Load, alice: User, corpus: Corpus, base: TrainedModel
) -> None:
    machines.note(ALONE)
    load(3.0)
    estimate = estimates.estimate(corpus.characters)
    page = signed_in(alice).get(f"/corpora/{corpus.pk}/").content.decode()
    [courses] = re.findall(r'id="train-courses" type="application/json">(.*?)</script>', page)
    course = json.loads(courses)["quick"]
    assert (course["starting"], course["epoch"]) == (round(estimate.starting, 2), round(estimate.epoch, 2))
    assert estimate.seconds(3) == estimates.estimate(corpus.characters).seconds(3)
