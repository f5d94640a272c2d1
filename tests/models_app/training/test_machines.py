"""The time estimate of a training, from the speed of the last ones, or that which was measured."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import processes
from models_app.bases import adding
from models_app.bots.rows import Tier, TrainedModel
from models_app.training import estimates, machines, planning
from models_app.training.rows import TrainingMachine
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def seconds() -> float:
    """For 100,000 characters, twice."""
    return estimates.estimate(100_000).seconds(2)


def test_before_the_first_training_the_estimate_is_what_was_measured(transactional_db: None) -> None:
    before = seconds()
    assert before == pytest.approx(estimates.STARTING_SECONDS + 200_000 / machines.TYPICAL_SPEED[Tier.QUICK])
    machines.note(16_000)
    assert seconds() == pytest.approx(estimates.PREPARED_SECONDS + 200_000 / 16_000)
    machines.note(1_600)
    assert seconds() == pytest.approx(estimates.PREPARED_SECONDS + 200_000 / 1_600)
    assert TrainingMachine.objects.count() == 1


def test_the_first_fluent_training_reads_what_the_measured_machine_reads_in_its_time(transactional_db: None) -> None:
    assert machines.pace(Tier.FLUENT).speed == machines.TYPICAL_SPEED[Tier.FLUENT]
    # Without fast products in bfloat16.
    machines.note(4_000, products_per_symbol=0.09 * machines.FLUENT_PRODUCTS)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(360)
    read = estimates.reading_within(5, 1_000_000).most_characters
    assert estimates.MIN_READ < read < 300 * 360
    assert estimates.estimate(1_000_000, Tier.FLUENT, read).seconds(1) == pytest.approx(300, rel=0.02)


def test_what_a_quick_base_says_of_fluent_trainings_does_not_depend_on_its_size(transactional_db: None) -> None:
    machines.note(16_000, products_per_symbol=3e6)
    of_bytes = machines.pace(Tier.FLUENT).speed
    # A token of 2.7 characters takes as many products, in the same time.
    machines.note(16_000, characters_per_symbol=2.7, products_per_symbol=3e6)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(of_bytes)
    # A network of half the size does twice as many steps.
    machines.note(32_000, characters_per_symbol=2.7, products_per_symbol=1.5e6)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(of_bytes)


def test_a_machine_that_an_earlier_version_measured_is_as_fast_at_fluent_trainings_as_a_typical_one(
    transactional_db: None,
) -> None:
    machines.note(16_000)
    typical = machines.TYPICAL_SPEED[Tier.FLUENT] / machines.TYPICAL_SPEED[Tier.QUICK]
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(machines.pace(Tier.QUICK).speed * typical)


def _expected(model: TrainedModel) -> float:
    return adding.facts_of(model, machines.measured_speed(Tier.FLUENT)).characters_per_second


#: SmolLM2-360M's, and its products by those of SmolLM2-135M.
LARGER = {"layers": 32, "width": 960, "heads": 15, "kv_heads": 5, "head_size": 64, "hidden": 2560, "symbols": 49_152}
LONGER = 361_758_720 / 134_479_872


def test_what_is_expected_of_another_base_is_what_was_measured_scaled_by_its_products(fluent: TrainedModel) -> None:
    typical = machines.TYPICAL_SPEED[Tier.FLUENT]
    assert _expected(fluent) == pytest.approx(typical), "smaller models aren't said to be faster"
    fluent.network |= LARGER
    assert _expected(fluent) == pytest.approx(typical / LONGER)
    machines.note(4_000, products_per_symbol=0.09 * machines.FLUENT_PRODUCTS)
    assert _expected(fluent) == pytest.approx(2_000 * 2 * 0.09 / LONGER)


def test_trainings_of_one_base_tell_how_long_those_of_another_take(alice: User, fluent: TrainedModel) -> None:
    larger = {**fluent.network, **LARGER}
    values: dict[str, Any] = {"owner": alice, "directory": "none", "sha256": "0" * 64, "tier": Tier.FLUENT}
    TrainedModel.objects.create(name="Small", characters_per_second=2_000, network=fluent.network, **values)
    assert machines.pace(Tier.FLUENT).speed == machines.pace(Tier.FLUENT, fluent.network).speed == 2_000
    assert machines.pace(Tier.FLUENT, larger).speed == pytest.approx(2_000 / LONGER)
    TrainedModel.objects.all().delete()
    TrainedModel.objects.create(name="Large", characters_per_second=700, network=larger, **values)
    assert machines.pace(Tier.FLUENT, larger).speed == pytest.approx(700)
    assert machines.pace(Tier.FLUENT).speed == pytest.approx(700 * LONGER)


def test_a_training_from_a_larger_base_reads_less_in_the_same_time(
    alice: User, corpus: Corpus, fluent: TrainedModel
) -> None:
    Corpus.objects.filter(pk=corpus.pk).update(characters=2_000_000)
    corpus.refresh_from_db()
    usual = planning.plan(owner=alice, corpus=corpus, start=fluent, minutes=10)
    fluent.network |= LARGER
    larger = planning.plan(owner=alice, corpus=corpus, start=fluent, minutes=10)
    read = [plan.config.as_dict()["most_characters"] for plan in (usual, larger)]
    assert read[0] > 2 * read[1] > 0
    assert usual.seconds == pytest.approx(600, rel=0.05) and larger.seconds == pytest.approx(600, rel=0.05)


def test_the_median_of_the_last_trainings_replaces_what_was_measured(alice: User) -> None:
    machines.note(16_000)
    values: dict[str, Any] = {"owner": alice, "directory": "none", "sha256": "0" * 64}
    for number, speed in enumerate([100_000, 4_000, None, 9_000, 5_000, 3_000, 8_000]):
        TrainedModel.objects.create(name=f"Bot {number}", characters_per_second=speed, **values)
    assert machines.pace() == machines.Pace(5_000, is_prepared=True)
    TrainingMachine.objects.all().delete()
    assert machines.pace() == machines.Pace(5_000)


def test_machines_that_are_gone_are_forgotten(transactional_db: None) -> None:
    machines.note(16_000)
    TrainingMachine.objects.update(machine="before it was started again")
    machines.note(16_000)
    TrainingMachine.objects.create(
        machine="old", host="old", speed=1, measured_at=timezone.now() - 2 * machines.FORGOTTEN
    )
    machines.note(16_000)
    assert [row.machine for row in TrainingMachine.objects.all()] == [processes.boot()]
