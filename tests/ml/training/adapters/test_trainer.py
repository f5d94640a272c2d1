from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import Cancelled, TooFewPosts
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.llama.weights import first_adapter
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.state_file import load_state
from models_app.ml.training import prebuilt
from models_app.ml.training.adapters import trainer
from models_app.ml.training.adapters.config import AdapterConfig
from models_app.ml.training.adapters.measuring import bits_per_character
from models_app.ml.training.adapters.packing import packed_batches
from models_app.ml.training.adapters.prebuilt import learner_for
from models_app.ml.training.events import EpochResult, FineTuneResult, Progress
from models_app.ml.training.fine_tuning import INTERPOLATIONS, STATE
from models_app.ml.vocabulary.bpe import BpeVocabulary
from models_app.training.reporter import Trail
from tests.ml.networks.llama.conftest import TINY, made_frozen
from tests.ml.networks.llama.files import made_config, made_tokenizer, taken_into, write_directory

TRAIN = [f"the {animal} sleeps on day {day} 🐕" for day in range(10) for animal in ("dog", "cat", "fox", "owl")]
VALIDATION = ["the dog sleeps on day 11 🐕", "the owl sleeps on day 12 🐕"]
CONFIG = AdapterConfig(epochs=3, points=4, batch_size=2, sequence_length=64, learning_rate=0.02, topics=0, seed=3)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoint]:
    tokenizer = made_tokenizer(300)
    config = made_config(BpeVocabulary.from_json(tokenizer), TINY)
    folder = tmp_path_factory.mktemp("base")
    source = write_directory(folder / "tiny", config, made_frozen(config), tokenizer)
    pretrained = read_directory(source)
    with taken_into(folder / "pretrained", pretrained):
        yield Checkpoint(pretrained.config, first_adapter(pretrained.config, 0), {}, "")


Run = Callable[..., FineTuneResult]


@pytest.fixture
def run(start: Checkpoint, tmp_path: Path) -> Run:
    def run(
        *,
        on_epoch: Callable[[EpochResult], None] = lambda point: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        control: Callable[[], Any] = lambda: "go",
        **changes: Any,
    ) -> FineTuneResult:
        arguments: dict[str, Any] = {"start": start, "train": TRAIN, "validation": VALIDATION, "config": CONFIG}
        return trainer.fine_tune(
            on_epoch=on_epoch,
            on_progress=on_progress,
            control=control,
            **arguments | {"work_dir": tmp_path, "sample_count": 0} | changes,
        )

    return run


class Killed(BaseException):
    """Raised as if the process ended here."""


def test_it_learns_and_keeps_the_best_point(run: Run) -> None:
    points: list[EpochResult] = []
    result = run(on_epoch=points.append, sample_count=1, sample_filter=lambda post: len(post) < 1000)
    assert [point.epoch for point in points] == [1, 2, 3, 4]
    assert result.bits_per_character < 0.8 * result.start_bits_per_character
    assert result.kept_epoch == min(points, key=lambda point: point.validation_loss).epoch
    assert not result.stopped_early
    assert points[-1].samples


def test_what_was_learned_too_well_goes_back_some_of_the_way(run: Run, start: Checkpoint, tmp_path: Path) -> None:
    config = replace(CONFIG, points=1, learning_rate=0.03)
    validation = ["the owl sang", "a cat sat on the day"]
    result = run(config=config, train=["the dog sleeps on day 1 🐕"] * 40, validation=validation)
    assert result.interpolation in INTERPOLATIONS
    state, _ = load_state(tmp_path / STATE)
    best = {name: state[f"best.{name}"] for name in start.weights}
    bits = {
        name: bits_per_character(Checkpoint(start.network, weights, {}, "", result.phrases), validation)
        for name, weights in (("best", best), ("kept", result.weights))
    }
    assert bits["kept"] < bits["best"]
    assert result.bits_per_character == pytest.approx(bits["kept"], rel=1e-5)
    for name, array in result.weights.items():
        far = best[name] - start.weights[name]
        np.testing.assert_allclose(array - start.weights[name], result.interpolation * far, atol=1e-5, err_msg=name)
    # The same learned from a part of more posts stays as it is.
    learned = ["the dog sleeps on day 1 🐕"] * 40
    few = replace(config, most_characters=sum(len(post) + 1 for post in learned))
    again = run(config=few, train=["a fox", *learned], validation=validation, work_dir=tmp_path / "few")
    assert again.interpolation == 1


def test_a_last_point_that_learned_too_well_is_better_on_the_way_to_it_than_an_earlier_one(
    run: Run, start: Checkpoint, tmp_path: Path
) -> None:
    # The last point needs 0.6 bits more than the best and, at 0.6, 0.3 less, in float32 as in bfloat16.
    config = replace(CONFIG, points=5, epochs=5, learning_rate=0.01)
    result = run(config=config, train=TRAIN, validation=["the dog sang on day 3"], sample_count=1)
    assert not result.history[-1].best
    # What is reported is what is kept, and so are its posts.
    assert result.kept_epoch == 5 and result.interpolation in INTERPOLATIONS
    asked = SamplingConfig(count=1, seed=config.seed + 6)
    assert result.samples == tuple(Sampler(result.checkpoint).generate(asked).posts)
    state, _ = load_state(tmp_path / STATE)
    for name, array in result.weights.items():
        far = state[f"weights.{name}"] - start.weights[name]
        np.testing.assert_allclose(array - start.weights[name], result.interpolation * far, atol=1e-5, err_msg=name)
    assert result.bits_per_character < min(point.bits_per_character for point in result.history)


def test_the_best_point_stays_where_all_on_the_way_to_a_later_one_is_worse(run: Run, tmp_path: Path) -> None:
    # By 0.4 bits, in float32 as in bfloat16.
    config = replace(CONFIG, points=5, epochs=5, learning_rate=0.007, seed=4)
    result = run(config=config, train=TRAIN, validation=["the dog sang on day 3"])
    assert result.kept_epoch < 5 and result.interpolation == 1
    state, _ = load_state(tmp_path / STATE)
    for name, array in result.weights.items():
        np.testing.assert_array_equal(array, state[f"best.{name}"], err_msg=name)


def test_phrases_are_kept_as_far_as_they_predict_held_out_posts_better(run: Run) -> None:
    config = replace(CONFIG, points=1, epochs=1, learning_rate=0.005)
    helped = run(config=config)
    assert helped.phrases is not None and helped.phrases.trust == 1
    unlearned = replace(helped.checkpoint, phrases=None)
    assert helped.bits_per_character == pytest.approx(bits_per_character(helped.checkpoint, VALIDATION), rel=1e-5)
    assert helped.bits_per_character < bits_per_character(unlearned, VALIDATION)
    # As a bot writes, symbol by symbol.
    assert evaluate(helped.checkpoint, VALIDATION).bits_per_character == pytest.approx(
        helped.bits_per_character, rel=0.02
    )


def test_the_phrases_of_a_bot_to_start_from_count_in_what_it_knew_before(
    run: Run, start: Checkpoint, tmp_path: Path
) -> None:
    config = replace(CONFIG, points=1, epochs=1)
    first = run(config=config)
    known = replace(start, phrases=first.phrases)
    again = run(start=known, config=config, work_dir=tmp_path / "again")
    assert again.start_bits_per_character == pytest.approx(bits_per_character(known, VALIDATION), rel=1e-5)
    assert again.start_bits_per_character < first.start_bits_per_character


def test_a_bot_that_continues_from_another_keeps_its_phrases_and_counts_no_post_twice(
    run: Run, start: Checkpoint, tmp_path: Path
) -> None:
    config = replace(CONFIG, points=1, epochs=1, learning_rate=1e-6)
    old = [f"the dog sleeps on day {day}" for day in "abcd"]
    new = [f"an owl sings at night {night}" for night in "abcd"]
    validation = ["the dog sleeps on day e", "an owl sings at night e"]
    first = run(config=config, train=old, validation=validation)
    assert first.phrases is not None
    known = replace(start, phrases=first.phrases)

    def continued(train: list[str], name: str, **more: Any) -> FineTuneResult:
        return run(start=known, config=config, train=train, validation=validation, work_dir=tmp_path / name, **more)

    anew = run(config=config, train=[*old, *new], validation=validation, work_dir=tmp_path / "anew")
    further = continued(new, "further")
    # Only what the two have in common, such as the start and end of a post, can differ.
    assert further.bits_per_character == pytest.approx(anew.bits_per_character, rel=0.02)
    guard = CopyGuard.of(old)
    one_more = continued(["the dog sleeps on day a", *new], "more", start_guard=guard)
    # Counted twice, it would need 0.4 % fewer bits; processors differ by 0.02 %.
    assert one_more.bits_per_character == pytest.approx(further.bits_per_character, rel=1e-3)
    # All of what it learned, and more
    all_again = continued([*old, *new], "all", start_guard=guard)
    assert all_again.bits_per_character <= anew.bits_per_character * (1 + 1e-3)


def test_phrases_that_mislead_are_left_out(run: Run, tmp_path: Path) -> None:
    config = replace(CONFIG, points=1, epochs=1, learning_rate=1e-6)
    mislead = ["the dog sleeps on day 1 🐕"] * 40
    result = run(config=config, train=mislead, validation=["tzhzez dzozgz", "szlz ezpz"])
    assert result.phrases is None
    assert run(config=config, train=["a", "bc", "xyz"], work_dir=tmp_path / "none").phrases is None


def test_it_says_how_many_posts_its_bits_are_of(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, points=1, epochs=1)
    assert run(config=config).measured_posts == len(VALIDATION)
    monkeypatch.setattr(trainer, "HELD_OUT_SYMBOLS", 1)
    assert run(config=config, work_dir=tmp_path / "other").measured_posts == 1


def test_before_it_learns_it_writes_once(run: Run, tmp_path: Path) -> None:
    before: list[Sequence[str]] = []
    # Random weights seldom end a post.
    start = run().checkpoint

    def continued(count: int, name: str = "continued", **changes: Any) -> FineTuneResult:
        config = replace(CONFIG, **changes)
        return run(start=start, on_before=before.append, sample_count=count, config=config, work_dir=tmp_path / name)

    first = continued(3, points=1)
    assert len(before) == 1 and before[0] and all(before[0])
    again = continued(3, points=1)
    assert len(before) == 1 and again.bits_per_character == first.bits_per_character
    continued(0, "none", points=2)
    assert len(before) == 1


def test_there_is_something_to_read_before_the_graphs_are_built(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def making(*given: Any, **named: Any) -> Any:
        order.append("graphs")
        return learner_for(*given, **named)

    monkeypatch.setattr(trainer, "learner_for", making)
    monkeypatch.setattr(prebuilt, "_asked", Event())
    run(
        on_start=lambda history: order.append("start"),
        on_before=lambda posts: order.append("posts"),
        on_epoch=lambda point: order.append("point"),
        sample_count=1,
        config=replace(CONFIG, points=1),
    )
    assert order == ["start", "posts", "graphs", "point"]
    # Nor does it share the cores with what a waiting process does ahead.
    with pytest.raises(prebuilt.Begun):
        prebuilt.give_way()


def test_what_is_reported_grows_to_the_end(run: Run) -> None:
    progress: list[Progress] = []
    run(on_progress=progress.append)
    fractions = [each.fraction for each in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.9
    assert {each.epochs for each in progress} == {4}
    assert all(0 <= each.step <= each.steps for each in progress)


def test_with_fewer_steps_than_points_each_step_is_a_point(run: Run) -> None:
    progress: list[Progress] = []
    points: list[EpochResult] = []
    trail = Trail()

    def on_progress(one: Progress) -> None:
        progress.append(one)
        trail.add(one)

    few = replace(CONFIG, epochs=2, batch_size=32)
    result = run(config=few, on_progress=on_progress, on_epoch=points.append)
    assert [point.epoch for point in points] == [1, 2]
    assert {one.epochs for one in progress} == {2} and {one.steps for one in progress} == {1}
    assert trail.of(2)[-1] == [2.0, round(points[-1].train_loss, 4)]
    assert result.bits_per_character <= result.start_bits_per_character


@pytest.mark.parametrize("killed_after", [2, 7, 11])
def test_a_training_that_was_killed_ends_with_the_same_weights(
    killed_after: int, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(work_dir=tmp_path / "whole")
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    asked = iter(range(10**6))

    def control() -> str:
        if next(asked) == killed_after:
            raise Killed
        return "go"

    saved: list[bool] = []
    with pytest.raises(Killed):
        run(control=control, on_saved=lambda: saved.append(True))
    assert saved, "it says that it gets on, also before the first point"
    kept: list[EpochResult] = []
    again = run(on_start=kept.extend)
    assert [point.epoch for point in again.history] == [1, 2, 3, 4]
    for mine, theirs in zip(again.history, whole.history, strict=True):
        assert (mine.train_loss, mine.validation_loss) == (theirs.train_loss, theirs.validation_loss)
    assert all(np.array_equal(array, again.weights[name]) for name, array in whole.weights.items())


def test_a_state_of_other_posts_is_not_taken_up(run: Run) -> None:
    run()
    kept: list[EpochResult] = []
    run(train=[*TRAIN, "one more"], on_start=kept.extend)
    assert kept == []


def test_stopping_keeps_the_best_so_far(run: Run) -> None:
    points: list[EpochResult] = []
    result = run(on_epoch=points.append, control=lambda: "stop" if points else "go")
    assert [point.epoch for point in result.history] == [1]
    assert result.stopped_early
    early = run(control=lambda: "stop", config=AdapterConfig.from_dict(CONFIG.as_dict() | {"seed": 4}))
    assert len(early.history) == 1


def test_cancelling_ends_it(run: Run) -> None:
    with pytest.raises(Cancelled):
        run(control=lambda: "cancel")


def test_posts_on_both_sides_are_needed(run: Run) -> None:
    with pytest.raises(TooFewPosts):
        run(validation=[])
    with pytest.raises(TooFewPosts):
        run(train=[])


def test_with_little_time_it_reads_the_newest_posts(run: Run, start: Checkpoint) -> None:
    newest = TRAIN[-10:]
    most = sum(len(post) + 1 for post in newest) + 5
    assert trainer.newest(TRAIN, most) == newest
    assert trainer.newest(TRAIN, 0) == TRAIN and trainer.newest(TRAIN, 1) == TRAIN[-1:]
    steps: list[Progress] = []
    run(config=replace(CONFIG, epochs=1, points=1, most_characters=most), on_progress=steps.append)
    assert 0 < steps[-1].steps == steps_for(newest, start) < steps_for(TRAIN, start)


def steps_for(posts: Sequence[str], start: Checkpoint) -> int:
    """Return the steps of one reading of these posts."""
    network = start.network
    assert isinstance(network, LlamaConfig)
    encoded = [LIBRARY.get(network.pretrained).vocabulary.encode(post) for post in posts]
    return len(packed_batches(encoded, rows=CONFIG.batch_size, length=CONFIG.sequence_length, end=network.end))


def test_settings_fit_the_size_of_the_corpus() -> None:
    small, large = (AdapterConfig.auto(characters=count) for count in (2_000, 400_000))
    assert (small.points, large.points) == (3, 8)
    assert small.warmup_steps < large.warmup_steps
    assert AdapterConfig.auto(characters=400_000, most_characters=2_000).points == small.points
    assert AdapterConfig.from_dict(small.as_dict()) == small
    with pytest.raises(ValueError, match="learning_rate"):
        AdapterConfig.auto(characters=1000, learning_rate=7)
