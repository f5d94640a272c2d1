from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.errors import Cancelled, TooFewPosts, TrainingDiverged
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.registry import kind_of
from models_app.ml.state_file import load_state, save_state
from models_app.ml.training.events import Openings
from models_app.ml.training.fine_tuning import CONTINUED, INTERPOLATIONS
from models_app.ml.training.learner import Learner
from models_app.ml.training.trainer import STATE, EpochResult, Progress
from tests.ml.conftest import TINY
from tests.ml.training.tuning import CONFIG, TRAIN, VALIDATION, Answer, tune

pytestmark = pytest.mark.usefixtures("quick_trainings", "whole_numbers")


class Killed(BaseException):
    """Raised where the process would end."""


def after(calls: int, answer: Answer) -> Callable[[], Answer]:
    """Return a control that says "go" this many times and then the answer."""
    asked = iter(range(10**9))
    return lambda: answer if next(asked) >= calls else "go"


def test_a_fine_tune_learns_and_reports_each_epoch(start: Checkpoint, tmp_path: Path) -> None:
    epochs: list[EpochResult] = []
    result = tune(start, tmp_path, on_epoch=epochs.append)
    assert [entry.epoch for entry in epochs] == [1, 2, 3]
    assert result.history == epochs
    assert epochs[2].validation_loss < epochs[0].validation_loss < 5.6
    assert epochs[2].train_loss < epochs[0].train_loss
    assert all(len(entry.samples) == 2 and all(entry.samples) for entry in epochs)
    assert epochs[0].learning_rate > epochs[2].learning_rate > 0
    assert not result.stopped_early
    assert result.characters_per_second > 0
    assert result.seconds >= sum(entry.seconds for entry in epochs) * 0.9


def test_the_validation_loss_is_exact_over_the_whole_split(start: Checkpoint, tmp_path: Path) -> None:
    result = tune(start, tmp_path)
    best = result.history[result.kept_epoch - 1]
    measured = evaluate(Checkpoint(TINY, result.weights, {}, ""), VALIDATION)
    # Much is left to learn, so going all the way is best.
    assert result.interpolation == 1 and result.bits_per_character == best.bits_per_character
    assert best.bits_per_character == pytest.approx(measured.bits_per_character, rel=1e-5)
    symbols = sum(len(post.encode()) + 1 for post in VALIDATION)
    nats = measured.bits_per_character * (measured.characters + measured.posts) * np.log(2)
    assert best.validation_loss == pytest.approx(nats / symbols, rel=1e-5)
    assert result.start_bits_per_character == pytest.approx(evaluate(start, VALIDATION).bits_per_character, rel=1e-5)


def test_progress_runs_from_nothing_to_all(start: Checkpoint, tmp_path: Path) -> None:
    told: list[Progress] = []
    tune(start, tmp_path, on_progress=told.append)
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < 1
    assert fractions[-1] == pytest.approx(1)
    assert told[-1].seconds_left == pytest.approx(0, abs=0.01)
    assert (told[-1].epoch, told[-1].epochs, told[-1].step) == (3, 3, told[-1].steps)


def test_the_best_epoch_is_kept_when_later_ones_get_worse(start: Checkpoint, tmp_path: Path) -> None:
    # It learns one thing, far too fast, and is checked on another, so it only gets worse.
    config = dataclasses.replace(CONFIG, epochs=4, learning_rate=0.05, dropout=0.0)
    result = tune(start, tmp_path, config=config, train=["aaaa"] * 30, validation=["abab", "zz"])
    losses = [entry.validation_loss for entry in result.history]
    assert result.kept_epoch == 1 + losses.index(min(losses)) < 4
    assert [entry.best for entry in result.history][result.kept_epoch :] == [False] * (4 - result.kept_epoch)
    measured = evaluate(Checkpoint(TINY, result.weights, {}, ""), ["abab", "zz"])
    assert measured.bits_per_character == pytest.approx(result.bits_per_character, rel=1e-5)
    assert result.bits_per_character <= result.history[result.kept_epoch - 1].bits_per_character


def test_what_was_learned_too_well_goes_back_some_of_the_way(start: Checkpoint, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, epochs=1, learning_rate=0.1, dropout=0.0)
    validation = ["abab", "zz"]
    result = tune(start, tmp_path, config=config, train=["aaaa"] * 60, validation=validation)
    assert result.kept_epoch == 1 and result.interpolation in INTERPOLATIONS
    assert result.bits_per_character < result.history[0].bits_per_character
    measured = evaluate(Checkpoint(TINY, result.weights, {}, ""), validation)
    assert measured.bits_per_character == pytest.approx(result.bits_per_character, rel=1e-5)
    # The weights of the epoch lie so much farther from the start than those that were kept.
    state, _ = load_state(tmp_path / STATE)
    for name, array in result.weights.items():
        far = state[f"best.{name}"] - start.weights[name]
        np.testing.assert_allclose(array - start.weights[name], result.interpolation * far, atol=1e-5)


def test_further_back_is_tried_only_while_it_gets_better(
    start: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    validate, set_weights = Learner.validate, Learner.set_weights

    def counted(self: Learner, *arguments: Any, **named: Any) -> tuple[float, float]:
        tried.append("validated")
        return validate(self, *arguments, **named)

    def noted(self: Learner, weights: Any) -> None:
        tried.append("back")
        set_weights(self, weights)

    monkeypatch.setattr(Learner, "validate", counted)
    monkeypatch.setattr(Learner, "set_weights", noted)
    # Going all the way is best, so one step back is tried, and no other.
    assert tune(start, tmp_path / "learns").interpolation == 1
    assert tried == ["validated"] * 4 + ["back", "validated"]
    tried.clear()
    config = dataclasses.replace(CONFIG, epochs=1, learning_rate=0.1, dropout=0.0)
    share = tune(
        start, tmp_path / "forgets", config=config, train=["aaaa"] * 60, validation=["abab", "zz"]
    ).interpolation
    # Points beyond the best one are tried too, if there are any.
    assert tried.count("back") == min(len(INTERPOLATIONS), INTERPOLATIONS.index(share) + 2) > 1


GLR = NetworkConfig(kind="glr", embedding=6, units=8, layers=2, contexts=(2, 0), context_rows=64, context_width=4)


@pytest.mark.parametrize(
    ("network", "killed_in", "rounds"),
    [(TINY, 2, 1), (TINY, 3, 1), (GLR, 2, 1), (GLR, 2, 2), (TINY, 3, 2), (TINY, 3, 3)],
)
def test_a_killed_fine_tune_goes_on_to_the_same_weights(
    network: NetworkConfig, tmp_path: Path, killed_in: int, rounds: int
) -> None:
    start = Checkpoint(network, kind_of(network).first_weights(network, 0), {}, "")
    config = dataclasses.replace(CONFIG, rounds=rounds)
    whole = tune(start, tmp_path / "whole", config=config)
    steps: list[int] = []

    def counted() -> Answer:
        steps.append(len(seen))
        if len(seen) == killed_in - 1 and steps.count(killed_in - 1) == 5:
            raise Killed
        return "go"

    seen: list[EpochResult] = []
    with pytest.raises(Killed):
        tune(start, tmp_path / "cut", config=config, control=counted, on_epoch=seen.append)
    assert [entry.epoch for entry in seen] == list(range(1, killed_in))
    again = tune(start, tmp_path / "cut", config=config, on_epoch=seen.append)

    assert [entry.epoch for entry in seen] == [1, 2, 3]
    for name, array in whole.weights.items():
        np.testing.assert_allclose(again.weights[name], array, atol=1e-5, err_msg=name)
    for ours, theirs in zip(again.history, whole.history, strict=True):
        assert ours.validation_loss == pytest.approx(theirs.validation_loss, abs=1e-5)
        assert ours.samples == theirs.samples
    assert again.kept_epoch == whole.kept_epoch


def test_a_finished_work_dir_answers_at_once(start: Checkpoint, tmp_path: Path) -> None:
    whole = tune(start, tmp_path)
    seen: list[EpochResult] = []
    told: list[Progress] = []
    again = tune(start, tmp_path, on_epoch=seen.append, on_progress=told.append, control=lambda: "stop")
    assert seen == [] and not again.stopped_early
    assert {(progress.epoch, progress.step == progress.steps, progress.fraction) for progress in told} == {(3, True, 1)}
    assert {progress.loss for progress in told} == {whole.history[-1].train_loss}
    assert again.history == whole.history
    assert again.start_bits_per_character == whole.start_bits_per_character
    np.testing.assert_array_equal(again.weights["kernel"], whole.weights["kernel"])


def test_a_damaged_or_foreign_work_dir_is_started_over(start: Checkpoint, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, epochs=1)
    whole = tune(start, tmp_path / "whole", config=config)
    saved = (tmp_path / "whole" / STATE).read_bytes()
    tune(start, tmp_path / "seed", config=dataclasses.replace(config, seed=6))
    tune(start, tmp_path / "posts", config=config, train=TRAIN[1:])
    states = {
        "one bit flipped": saved[:-9] + bytes([saved[-9] ^ 64]) + saved[-8:],
        "cut": saved[:-50],
        "no state at all": b"something else",
        "of another seed": (tmp_path / "seed" / STATE).read_bytes(),
        "of other posts": (tmp_path / "posts" / STATE).read_bytes(),
    }
    for what, state in states.items():
        (tmp_path / "whole" / STATE).write_bytes(state)
        seen: list[EpochResult] = []
        result = tune(start, tmp_path / "whole", config=config, on_epoch=seen.append)
        assert [entry.epoch for entry in seen] == [1], what
        np.testing.assert_allclose(result.weights["kernel"], whole.weights["kernel"], atol=1e-5, err_msg=what)


@pytest.mark.parametrize("calls", [0, 1, 40])
def test_a_cancel_ends_as_cancelled(start: Checkpoint, tmp_path: Path, calls: int) -> None:
    with pytest.raises(Cancelled) as caught:
        tune(start, tmp_path, control=after(calls, "cancel"))
    assert caught.value.code == "cancelled"


def test_a_stop_keeps_the_best_epoch_so_far(start: Checkpoint, tmp_path: Path) -> None:
    seen: list[EpochResult] = []
    result = tune(start, tmp_path, on_epoch=seen.append, control=lambda: "stop" if len(seen) == 2 else "go")
    assert result.stopped_early
    assert result.history == seen
    assert [entry.epoch for entry in seen] == [1, 2]
    measured = evaluate(Checkpoint(TINY, result.weights, {}, ""), VALIDATION)
    assert measured.bits_per_character == pytest.approx(result.bits_per_character, rel=1e-5)
    assert result.bits_per_character <= min(entry.bits_per_character for entry in seen)


@pytest.mark.parametrize("calls", [0, 5])
def test_a_stop_in_the_first_epoch_keeps_the_weights_as_they_are(start: Checkpoint, tmp_path: Path, calls: int) -> None:
    result = tune(start, tmp_path, control=after(calls, "stop"))
    assert result.stopped_early
    assert [(entry.epoch, entry.best) for entry in result.history] == [(1, True)]
    assert np.isfinite(result.history[0].train_loss)
    measured = evaluate(Checkpoint(TINY, result.weights, {}, ""), VALIDATION)
    assert measured.bits_per_character == pytest.approx(result.bits_per_character, rel=1e-5)
    assert result.bits_per_character <= result.history[0].bits_per_character
    assert not (tmp_path / STATE).exists()


def test_a_loss_that_is_no_number_ends_with_a_sentence(
    start: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Learner._train_step

    def broken(self: Learner, *arguments: Any) -> Any:
        loss, state = real(self, *arguments)
        return loss * float("nan"), state

    monkeypatch.setattr(Learner, "_train_step", broken)
    with pytest.raises(TrainingDiverged, match="lower learning rate"):
        tune(start, tmp_path)


def test_samples_pass_the_filter(start: Checkpoint, tmp_path: Path) -> None:
    result = tune(start, tmp_path, sample_filter=lambda post: "e" not in post)
    assert not [post for entry in result.history for post in entry.samples if "e" in post]


def test_the_same_openings_go_on_before_it_learns_and_after_each_epoch(start: Checkpoint, tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    openings = Openings(("the fox", "number"), told.append)
    result = tune(start, tmp_path, openings=openings, sample_filter=lambda post: len(post) < 1000)
    assert len(told) == 1 and [list(entry.continued) for entry in result.history] == [["the fox", "number"]] * 3
    for found in (told[0], *(entry.continued for entry in result.history)):
        assert all(post.startswith(opening) and len(post) <= CONTINUED + 1 for opening, post in found.items())
    # The same seed: only what it has learned makes the difference.
    assert told[0] != result.history[-1].continued
    again = tune(start, tmp_path, openings=openings)
    assert len(told) == 1 and again.history == result.history


def test_an_opening_that_only_leads_to_copies_has_no_post(start: Checkpoint, tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    result = tune(start, tmp_path, openings=Openings(("the",), told.append), sample_filter=lambda post: False)
    assert told == [{}] and all(entry.continued == {} for entry in result.history)


def test_a_state_of_an_earlier_version_has_no_openings(start: Checkpoint, tmp_path: Path) -> None:
    whole = tune(start, tmp_path)
    arrays, facts = load_state(tmp_path / STATE)
    for entry in facts["history"]:
        del entry["continued"]
    save_state(tmp_path / STATE, arrays, facts)
    seen: list[EpochResult] = []
    again = tune(start, tmp_path, on_epoch=seen.append, openings=Openings(("the",), lambda found: None))
    assert seen == [] and again.history == whole.history


def test_posts_on_both_sides_are_needed(start: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(TooFewPosts):
        tune(start, tmp_path, train=[])
    with pytest.raises(TooFewPosts):
        tune(start, tmp_path, validation=[])


def test_a_single_short_post_can_be_learned(start: Checkpoint, tmp_path: Path) -> None:
    result = tune(start, tmp_path, train=["hi"], validation=["ho"])
    assert len(result.history) == 3
