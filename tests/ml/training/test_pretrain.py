from __future__ import annotations

import csv
import math
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import NetworkConfig, PretrainConfig
from models_app.ml.errors import Cancelled, CheckpointError
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.state_file import load_state, save_state
from models_app.ml.training import pretrain as module
from models_app.ml.training import progress_meter, subjects
from models_app.ml.training.held_out import HeldOut
from models_app.ml.training.mention_augmentation import Renaming
from models_app.ml.training.pretrain import (
    LOSSES,
    STATE,
    Budget,
    PretrainMeasuring,
    PretrainValidation,
    pretrain,
)
from tests.ml.conftest import TINY

pytestmark = pytest.mark.usefixtures("quick_trainings")

CONFIG = PretrainConfig(
    batch_size=8,
    sequence_length=5,
    learning_rate=0.01,
    warmup_steps=2,
    validation_minutes=10 / 60,
    validation_stride=2,
    save_minutes=12 / 60,
    shuffle_posts=20,
)


class Time:
    """A clock on which every training step takes half a second, so that a schedule in minutes is exact."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.5
        return self.now


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTFACTORY_ML_PRODUCTS", "float32")
    clock = Time()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(progress_meter, "time", clock)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    posts = [f"post {number}: the {('red', 'blue')[number % 2]} fox said {number * 7 % 10}" for number in range(200)]
    (tmp_path / "train-0.txt").write_text("\n".join(posts[:100]))
    (tmp_path / "train-1.txt").write_text("\n".join(posts[100:180]))
    (tmp_path / "valid.txt").write_text("\n".join(posts[180:]))
    return {
        "corpus": [tmp_path / "train-0.txt", tmp_path / "train-1.txt"],
        "validation": tmp_path / "valid.txt",
        "directory": tmp_path / "base",
    }


def train(files: dict[str, Any], *, resume: bool = True, **others: Any) -> Checkpoint:
    values: dict[str, Any] = {"budget": Budget(minutes=0.5), "config": CONFIG, "network": TINY} | others
    return pretrain(**files, resume=resume, **values)


def cancel_after(steps: int) -> Any:
    asked = iter(range(10**9))
    return lambda: "cancel" if next(asked) >= steps else "go"


def losses(directory: Path) -> list[dict[str, str]]:
    with (directory / LOSSES).open(newline="") as file:
        return list(csv.DictReader(file))


def test_base_training_writes_a_checkpoint_that_says_how_it_was_made(files: dict[str, Any]) -> None:
    seen: list[PretrainValidation] = []
    result = train(files, on_validation=seen.append)
    loaded = load(files["directory"])
    assert loaded.sha256 == result.sha256
    assert loaded.meta["name"] == "base"
    assert [entry["file"] for entry in loaded.meta["corpus"]] == ["train-0.txt", "train-1.txt"]
    assert loaded.meta["minutes"] == 0.5
    assert loaded.meta["bytes_seen"] == 61 * 8 * 5  # 60 steps of half a second, and the first, which is not counted
    assert seen[-1].validation_loss < seen[0].validation_loss
    assert seen[-1].train_loss < seen[0].train_loss
    whole = evaluate(loaded, files["validation"].read_text().split("\n"))
    assert loaded.meta["bits_per_character"] == pytest.approx(whole.bits_per_character, rel=1e-5)
    rows = losses(files["directory"])
    assert [float(row["minutes"]) for row in rows] == [0.17, 0.33, 0.5, 0.5][: len(rows)]
    assert [float(row["validation_loss"]) for row in rows] == pytest.approx([v.validation_loss for v in seen], abs=1e-5)


def test_a_cancelled_training_goes_on_as_if_it_had_not_been(files: dict[str, Any], tmp_path: Path) -> None:
    whole = train(files | {"directory": tmp_path / "whole"})
    with pytest.raises(Cancelled, match="Run it again with resume"):
        train(files, control=cancel_after(31))
    # The step that rebuilds the graph doesn't count as time, so the second part runs one step longer.
    again = train(files)
    assert again.meta["bytes_seen"] == whole.meta["bytes_seen"] + 40
    assert again.meta["bits_per_character"] == pytest.approx(whole.meta["bits_per_character"], rel=0.02)
    minutes = [row["minutes"] for row in losses(files["directory"])]
    assert minutes == sorted(set(minutes))


def test_a_training_begun_anew_and_killed_before_its_first_save_is_not_the_one_before(files: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(31))
    old, _ = load_state(files["directory"] / STATE)

    class Killed(BaseException):
        """Make an interruption save nothing."""

    def killed() -> Any:
        raise Killed

    with pytest.raises(Killed):
        train(files, resume=False, control=killed)
    with pytest.raises(Cancelled, match=r"after 0\.0 minutes"):
        train(files, control=cancel_after(1))
    new, facts = load_state(files["directory"] / STATE)
    assert facts["run"]["steps"] == 1
    assert any(not np.array_equal(new[name], old[name]) for name in old)


@pytest.mark.parametrize("torn", [b"0.50", b"0.50,99999,0.00", b"\0" * 40, b"0.50,99999,0.001,4.4,\xff", b"\r\n"])
def test_losses_that_a_kill_has_torn_are_cut_off(files: dict[str, Any], torn: bytes) -> None:
    table = files["directory"] / LOSSES
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(31))
    whole = table.read_bytes()
    table.write_bytes(whole + torn)
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(1))
    assert table.read_bytes() == whole


def test_losses_that_are_gone_keep_no_training_from_going_on(files: dict[str, Any]) -> None:
    table = files["directory"] / LOSSES
    for left in (None, b"", b"minu"):
        with pytest.raises(Cancelled):
            train(files, control=cancel_after(3))
        table.unlink()
        if left is not None:
            table.write_bytes(left)
    train(files)
    assert list(losses(files["directory"])[0]) == ["minutes", "bytes", "learning_rate", "train_loss", "validation_loss"]


def test_losses_damaged_in_the_middle_are_told_and_nothing_is_lost(files: dict[str, Any]) -> None:
    table = files["directory"] / LOSSES
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(31))
    head, *rows = table.read_text().splitlines(keepends=True)
    broken = "".join([head, "mended by hand\n", *rows])
    table.write_text(broken)
    state = (files["directory"] / STATE).read_bytes()
    with pytest.raises(CheckpointError, match=r"Line 2 of .* is damaged"):
        train(files)
    assert table.read_text() == broken and (files["directory"] / STATE).read_bytes() == state


def test_a_saved_state_yields_the_same_next_steps(files: dict[str, Any], tmp_path: Path) -> None:
    ended: list[Checkpoint] = []
    for directory, stops in ((tmp_path / "whole", [40]), (tmp_path / "parts", [17, 23])):
        for steps in stops:
            with pytest.raises(Cancelled):
                # The learning rate follows the minutes. They are nearly endless here, so it is the same in both.
                train(files | {"directory": directory}, budget=Budget(minutes=1e6), control=cancel_after(steps))
        arrays, _ = load_state(directory / STATE)
        ended.append(Checkpoint(TINY, arrays, {}, ""))
    whole, parts = (checkpoint.weights for checkpoint in ended)
    compared = [name for name in whole if name.startswith(("weights.", "state."))]
    assert {name.split(".")[0] for name in compared} == {"weights", "state"}
    for name in compared:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-5, err_msg=name)


def test_names_and_hashtags_are_drawn_anew_while_it_learns_and_only_then(
    files: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, float]] = []

    def noted(posts: Iterator[str], **shares: float) -> Renaming:
        asked.append(shares)
        return Renaming(posts, names=shares["names"], tags=shares["tags"])

    monkeypatch.setattr(module, "Renaming", noted)
    posts = [f"@friend the fox said {number} #red" for number in range(150)]
    posts += [f"@someone{number} a fox #tag{number}" for number in range(10)]
    for path in files["corpus"]:
        path.write_text("\n".join(posts))
    files["validation"].write_text("@friend the fox #red")
    bits = {}
    for name, shares in {"kept": (0.0, 0.0), "names": (1.0, 0.0), "tags": (0.0, 1.0)}.items():
        config = replace(CONFIG, new_names=shares[0], new_tags=shares[1])
        bits[name] = train(files | {"directory": tmp_path / name}, config=config).meta["bits_per_character"]
        assert asked[-1] == {"names": shares[0], "tags": shares[1]}
    # The validation posts keep their names, so a network that read others predicts them worse.
    assert bits["kept"] < bits["names"] - 0.05 and bits["kept"] < bits["tags"] - 0.05


def test_losses_after_the_saved_state_are_not_written_twice(files: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(31))
    path = files["directory"] / LOSSES
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(["0.40", "999999", "0.001", "2.0", "2.0"])
    train(files)
    assert "0.40" not in [row["minutes"] for row in losses(files["directory"])]


def test_without_resume_training_begins_anew(files: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(31))
    assert train(files, resume=False).meta["bytes_seen"] == 61 * 40


def test_a_finished_training_only_measures_again(files: dict[str, Any]) -> None:
    first = train(files)
    again = train(files)
    assert again.sha256 == first.sha256
    assert again.meta["bytes_seen"] == first.meta["bytes_seen"]


@pytest.fixture
def many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a measuring take more than a few batches."""
    monkeypatch.setattr(subjects, "_VALIDATION_ROWS", 4)


@pytest.mark.usefixtures("many_batches")
def test_the_last_measuring_shows_how_far_it_is(files: dict[str, Any]) -> None:
    seen: list[PretrainMeasuring] = []
    train(files, on_measuring=seen.append)
    first, *later = seen
    assert (first.fraction, first.seconds_left) == (0.0, None)
    fractions = [each.fraction for each in later]
    assert len(later) > 2 and fractions == sorted(set(fractions)) and fractions[-1] <= 1
    lefts = [each.seconds_left for each in later if each.seconds_left is not None]
    assert len(lefts) == len(later) and all(left > 0 for left in lefts[:2])
    # The rest is expected to go on as fast as so far, and five seconds pass between two reports.
    passed = [left * done / (1 - done) for left, done in zip(lefts[:3], fractions, strict=False)]
    assert passed == pytest.approx([1, 6, 11])


def test_a_pause_ends_the_training_but_not_the_last_measuring(files: dict[str, Any]) -> None:
    with pytest.raises(Cancelled, match=r"after 0\.0 minutes"):
        train(files, control=lambda: "pause")
    measuring: list[PretrainMeasuring] = []
    ended = train(files, on_measuring=measuring.append, control=lambda: "pause" if measuring else "go")
    assert ended.meta["sample"] is False


@pytest.mark.usefixtures("many_batches")
@pytest.mark.parametrize("part", ["sample", "whole"])
def test_a_measuring_can_be_cancelled_and_nothing_is_lost(files: dict[str, Any], tmp_path: Path, part: str) -> None:
    whole = train(files | {"directory": tmp_path / "whole"})
    measuring: list[PretrainMeasuring] = []

    def control() -> str:
        is_due = (part == "sample" and measuring) or any(each.fraction for each in measuring)
        return "cancel" if is_due else "go"

    with pytest.raises(Cancelled, match=r"after 0\.5 minutes. Run it again with resume"):
        train(files, on_measuring=measuring.append, control=control)
    saved, _ = load_state(files["directory"] / STATE)
    of_whole, _ = load_state(tmp_path / "whole" / STATE)
    # The state has the weights of the training, not those that were measured.
    for name, array in of_whole.items():
        np.testing.assert_array_equal(saved[name], array, err_msg=name)
    again = train(files)
    assert again.sha256 == whole.sha256
    assert again.meta["bits_per_character"] == whole.meta["bits_per_character"]


def test_a_validation_within_the_training_can_be_cancelled(files: dict[str, Any], monkeypatch: Any) -> None:
    real, asked = HeldOut.loss, list[bool]()

    def loss(self: HeldOut, subject: Any, after_batch: Callable[[float], None]) -> float:
        asked.append(True)
        return real(self, subject, after_batch)

    monkeypatch.setattr(HeldOut, "loss", loss)
    with pytest.raises(Cancelled, match=r"after 0\.2 minutes"):
        train(files, control=lambda: "cancel" if asked else "go")
    assert not losses(files["directory"])
    assert train(files).meta["minutes"] == 0.5
    # The one that was cancelled is made up for.
    assert losses(files["directory"])[0]["minutes"] == "0.17"


def test_a_state_is_not_compared_with_other_validation_posts(files: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(5))
    (tmp_path / "other.txt").write_text("something else")
    with pytest.raises(CheckpointError, match="validation file"):
        train(files | {"validation": tmp_path / "other.txt"})


def test_a_stop_keeps_the_best_so_far(files: dict[str, Any]) -> None:
    seen: list[PretrainValidation] = []
    result = train(files, on_validation=seen.append, control=lambda: "stop" if seen else "go")
    assert result.meta["best_minutes"] == pytest.approx(10 / 60, abs=0.01)
    assert load(files["directory"]).sha256 == result.sha256


def test_a_stop_that_comes_before_anything_is_learned_waits_for_the_first_step(files: dict[str, Any]) -> None:
    result = train(files, control=lambda: "stop")
    assert 0 < result.meta["bytes_seen"] <= CONFIG.batch_size * CONFIG.sequence_length


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_state_first(files: dict[str, Any], number: signal.Signals) -> None:
    asked = iter(range(10**9))
    # Ignored if the tests run in the background of a shell.
    before = signal.getsignal(number)

    def control() -> str:
        if next(asked) == 5:
            os.kill(os.getpid(), number)
        return "go"

    with pytest.raises(Cancelled):
        train(files, control=control)
    assert (files["directory"] / STATE).exists()
    assert signal.getsignal(number) is before


def test_the_first_reading_of_a_large_corpus_is_cut_short_and_what_was_saved_stays(
    files: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    naming = replace(CONFIG, new_names=0.5)
    with pytest.raises(Cancelled, match="minutes"):
        train(files, control=cancel_after(5), config=naming)
    saved = (files["directory"] / STATE).read_bytes()
    monkeypatch.setattr(module, "_POSTS_BETWEEN_LOOKS", 50)
    with pytest.raises(Cancelled, match="before it began"):
        train(files, control=cancel_after(2), config=naming)
    assert (files["directory"] / STATE).read_bytes() == saved
    assert train(files, config=naming).meta["minutes"] == 0.5


def test_a_damaged_state_is_named_and_never_silently_dropped(files: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(5))
    (files["directory"] / STATE).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="Run it without resume"):
        train(files)


def test_a_state_of_another_configuration_is_refused(files: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(5))
    with pytest.raises(CheckpointError, match="another corpus, network, configuration"):
        train(files, config=PretrainConfig(batch_size=8))


def test_a_state_from_before_a_setting_existed_goes_on(files: dict[str, Any]) -> None:
    with pytest.raises(Cancelled):
        train(files, control=cancel_after(31))
    arrays, facts = load_state(files["directory"] / STATE)
    del facts["origin"]["config"]["averaging"], facts["origin"]["validation"]
    save_state(files["directory"] / STATE, arrays, facts)
    assert train(files).meta["minutes"] == 0.5


def test_a_budget_in_megabytes_counts_what_was_read(files: dict[str, Any]) -> None:
    result = train(files, budget=Budget(megabytes=0.001))
    assert result.meta["bytes_seen"] == 1000  # 25 steps of 8 rows by 5 bytes


@pytest.mark.parametrize("amounts", [{}, {"minutes": 0}, {"megabytes": -1.0}, {"minutes": 1, "megabytes": 1}])
def test_a_budget_is_one_amount_above_nothing(amounts: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Budget(**amounts)


def test_training_goes_on_from_a_finished_model_by_a_new_schedule(files: dict[str, Any], tmp_path: Path) -> None:
    first = train(files)
    again = train(files | {"directory": tmp_path / "again"}, start=first, network=None)
    assert again.network == first.network
    assert again.meta["started_from"] == {"sha256": first.sha256, "bytes_seen": first.meta["bytes_seen"]}
    assert again.meta["bits_per_character"] < first.meta["bits_per_character"]


def test_weights_are_stored_in_half_where_that_costs_nothing(files: dict[str, Any], monkeypatch: Any) -> None:
    half = train(files)
    stored = (files["directory"] / "weights.safetensors").stat().st_size
    assert -0.0005 < half.meta["half_costs"] <= 0.0005
    monkeypatch.setattr(module, "HALF_COSTS", -math.inf)
    whole = train(files, resume=False)
    assert whole.meta["bits_per_character"] == pytest.approx(half.meta["bits_per_character"], abs=0.0005)
    assert (files["directory"] / "weights.safetensors").stat().st_size > 1.7 * stored


def test_a_gated_linear_recurrence_can_be_a_base_model(files: dict[str, Any]) -> None:
    network = NetworkConfig(
        kind="glr", embedding=6, units=12, layers=2, contexts=(2, 0), context_rows=64, context_width=4
    )
    seen: list[PretrainValidation] = []
    result = train(files, network=network, on_validation=seen.append)
    assert load(files["directory"]).network == network
    assert seen[-1].validation_loss < seen[0].validation_loss
    whole = evaluate(result, files["validation"].read_text().split("\n"))
    assert result.meta["bits_per_character"] == pytest.approx(whole.bits_per_character, rel=1e-4)
