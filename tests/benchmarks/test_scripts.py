"""Each script runs on small data and ends with one line of JSON with the keys that the docs promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    common,
    contenders,
    fine_tune,
    generation,
    growth,
    peak,
    personas,
    ppmd,
    pytorch,
    rivals,
    training,
    waiting,
    writing_load,
)
from benchmarks.posts import made_posts
from models_app.ml.checkpoint import load
from models_app.ml.config import NetworkConfig
from tests.ml.conftest import TINY_TOKENS, TOKENS

from .conftest import TINY_GLR, TINY_LSTM, last_line, persona_file, promised

pytestmark = pytest.mark.usefixtures("quick_trainings")
Tiny = Callable[[NetworkConfig], Path]
SMALL_LSTM = ["--embedding", "4", "--units", "8"]


#: In a process of its own, because PyTorch fails if it's loaded after everything that the tests have loaded. The
#: contenders' own processes are forked from one that has TensorFlow, which takes 3 s to load in each of them otherwise.
TRAINING_IN_SMALL = """
import multiprocessing, sys
from benchmarks import common, peak, stock, training
multiprocessing.set_forkserver_preload([stock.__name__, training.__name__])
common.get_context = lambda _: multiprocessing.get_context("forkserver")
peak.SIZES = ((64, 64, 64),)
training.main(sys.argv[1:])
"""


def test_training_is_a_ratio_against_each_contender_and_a_share_of_the_peak(tiny: Tiny) -> None:
    small = ["--rounds", "1", "--steps", "2", "--batches", "8", "--length", "4", "--loss-steps", "3", *SMALL_LSTM]
    arguments = [*small, "--base", str(tiny(TINY_GLR)), "--json"]
    command = [sys.executable, "-c", TRAINING_IN_SMALL, *arguments]
    done = subprocess.run(command, cwd=common.ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    of_torch = set() if pytorch.installed() else {"ratio_torch_bf16", "ratio_torch_float32"}
    assert promised("Training") - of_torch <= set(found)
    for name in ("ratio_own_float32", "share_of_peak", "base_share_of_peak", "base_bytes_per_second", "loss_bfloat16"):
        assert found[name] > 0, name
    speeds = {name: median for name, (median, _, _) in found["bytes_per_second"].items()}
    assert found["ratio_stock_keras"] == pytest.approx(speeds[f"ours_{found['products']}"] / speeds["keras"], rel=1e-3)
    assert found["loss_float32"] < found["loss_untrained"] + 0.1


def test_generation_is_a_ratio_against_predict_and_milliseconds_of_a_post_and_of_loading(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--rounds", "1", "--characters", "6", "--streams", "1,3", "--predicted", "2", "--function", "2"]
    base = tiny(TINY_GLR)
    generation.main([*small, "--loads", "1", *SMALL_LSTM, "--base", str(base), "--json"])
    found = last_line(capsys)
    assert promised("Generation") <= set(found)
    speeds = found["characters_per_second"]
    assert set(speeds["lstm"]) == set(speeds["base"]) == set(speeds["function"]) == {"1", "3"}
    assert found["ratio_predict"] == pytest.approx(speeds["lstm"]["3"] / speeds["predict"]["1"], rel=1e-3)
    assert found["post_ms"] == pytest.approx(6e3 / speeds["base"]["1"], rel=1e-3)
    assert 0 < found["load_ms"] < found["load_with_imports_ms"]


def test_a_base_of_tokens_is_measured_in_bytes_and_characters(tiny: Tiny) -> None:
    base = tiny(TINY_TOKENS)
    work, characters = generation.writing(load(base), 3, 9)
    work()  # raises an error if a post has another length
    assert characters == 2 * 3 * 9
    size, count = training.bytes_in(training.made_batches(8, 4, 2, TINY_TOKENS), TINY_TOKENS)
    assert count == 2 * 8 * 4 < size
    assert training.contender("base", base, 8, 4, 2)() > 0
    looked_up = replace(TINY_TOKENS, tied=False)
    more = peak.operations_per_symbol(TINY_TOKENS) - peak.operations_per_symbol(looked_up)
    size, width, units = TOKENS.size, TINY_TOKENS.embedding, TINY_TOKENS.units
    assert more == 6 * (units * width + size * width - units * size)


def test_each_persona_has_a_row_of_all_contenders_and_a_second_run_takes_it_from_the_file(
    tiny: Tiny, base_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = persona_file(tmp_path / "someone.jsonl", list(made_posts(40)))
    small = ["--epochs", "1", "--better-epochs", "2", "--tutorial-epochs", "1", "--base-mb", "0.02", "--least", "40"]
    models = ["--base", str(tiny(TINY_GLR)), "--lstm", str(tiny(TINY_LSTM)), "--out", str(tmp_path / "outcomes.jsonl")]
    arguments = [str(file), *small, *models, "--stock-keras", "--waited", "--json"]
    fine_tune.main(arguments)
    found = last_line(capsys)
    (row,) = found["personas"]
    names = [name for name in fine_tune.NAMES if name != "ppmd" or ppmd.installed()]
    assert (row["persona"], row["found"], row["posts"]) == ("someone", 40, 40)
    assert promised("Fine-tune") == {*fine_tune.NAMES, *fine_tune.MORE}
    for name in (*names, "stock_keras", "waited"):
        assert 0 < row[name]["bits"] < 10, name
    epochs = {name: row[name]["epochs"] for name in ("base", "default", "better", "nothing", "tutorial", "stock_keras")}
    assert epochs == {"base": 0, "default": 1, "better": 2, "nothing": 2, "tutorial": 1, "stock_keras": 1}
    assert row["waited"]["bits"] == row["default"]["bits"]
    for name, ratio in fine_tune.RATIO.items():
        assert row[ratio] == pytest.approx(row["stock_keras"]["seconds"] / row[name]["seconds"], rel=1e-3)
    assert found["better_against"]["tutorial"] == pytest.approx(
        100 * (row["better"]["bits"] / row["tutorial"]["bits"] - 1), abs=1e-3
    )

    def trained_again(*_: Any) -> None:
        raise AssertionError("What the file knows is run again.")

    for contender in (contenders.Base, contenders.Ours, contenders.Tutorial, rivals.KneserNeyMixture):
        monkeypatch.setattr(contender, "run", trained_again)
    fine_tune.main(arguments)
    assert last_line(capsys)["personas"] == found["personas"]
    with pytest.raises(AssertionError, match="run again"):
        fine_tune.main([*arguments, "--epochs", "2"])


def test_personas_with_too_few_posts_are_told_and_left_out(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        str(persona_file(tmp_path / f"{name}.jsonl", list(made_posts(count))))
        for name, count in (("nobody", 5), ("few", 30), ("many", 40))
    ]
    fine_tune.main([*files, "--contenders", "base", "--least", "35", "--base", str(tiny(TINY_GLR)), "--json"])
    printed = capsys.readouterr()
    assert [row["persona"] for row in json.loads(printed.out.splitlines()[-1])["personas"]] == ["many"]
    assert "nobody.jsonl is left out: 5 posts are too few" in printed.err
    assert "few.jsonl is left out: of its posts 30 are kept, fewer than 35." in printed.err
    with pytest.raises(SystemExit, match="No persona has 50"):
        fine_tune.main([*files, "--contenders", "base", "--least", "50", "--base", str(tiny(TINY_GLR))])


def test_a_trial_beside_the_default_on_all_personas_as_one(
    tiny: Tiny, base_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        str(persona_file(tmp_path / f"{name}.jsonl", list(made_posts(40, seed=seed))))
        for seed, name in enumerate(("one", "other"))
    ]
    of_trial = ["--set", "dropout=0.5", "--trial-epochs", "2", "--mixed", "0.5", "--base-mb", "0.02"]
    few = ["--together", "--contenders", "default", "--epochs", "1", "--least", "30"]
    fine_tune.main([*files, *few, *of_trial, "--base", str(tiny(TINY_GLR)), "--json"])
    found = last_line(capsys)
    (row,) = found["personas"]
    assert (row["persona"], row["found"]) == ("together", 80)
    assert (row["default"]["epochs"], row["trial"]["epochs"]) == (1, 2)
    assert row["trial"]["bits"] != row["default"]["bits"]
    assert found["settings"]["trial"] == {"dropout": 0.5, "epochs": 2, "mixed": 0.5}
    assert set(found["default_against"]) == {"default", "trial"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "speed=2"], "has no speed"),
        (["--set", "dropout=much"], "'dropout=much' is not NAME=NUMBER"),
        (["--set", "dropout=2"], "dropout"),
        (["--mixed", "-1"], "--mixed is a share from 0 to 10"),
        (["--together", "--kept", "100,200"], "--together takes one number of --kept"),
    ],
)
def test_wrong_settings_of_a_trial_are_told_before_anything_is_learned(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        fine_tune.main(["someone.jsonl", *arguments])
    assert told in capsys.readouterr().err


def test_growth_has_seconds_and_memory_of_each_size(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["--sizes", "20", "--batch", "4", "--length", "8", "--base", str(tiny(TINY_GLR)), "--json"])
    (run,) = last_line(capsys)["runs"]
    assert run["posts"] == 20 and run["characters"] > 20 and run["seconds"] > 0
    assert 0 < run["posts_mb"] < run["peak_mb"]


def test_what_a_post_more_takes_is_the_difference_of_two_sizes() -> None:
    sizes = ((100, 20.0, 500.0), (1000, 29.0, 501.8), (10_000, 119.0, 519.8))
    runs = [{"posts": posts, "seconds": seconds, "peak_mb": peak_mb} for posts, seconds, peak_mb in sizes]
    found = growth.growth(runs)
    assert [(step["from"], step["to"]) for step in found["growth"]] == [(100, 1000), (1000, 10_000)]
    for step in found["growth"]:
        assert step["ms_per_post"] == pytest.approx(10)
        assert step["bytes_per_post"] == pytest.approx(2000)
    assert (found["times_posts"], found["times_seconds"]) == (100, 5.95)


def test_a_training_after_waiting_ends_as_one_at_once(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    waiting.main(["--posts", "80", "--rounds", "1", "--base", str(tiny(TINY_GLR)), "--json"])
    found = last_line(capsys)
    assert len({run["bits"] for runs in found["runs"].values() for run in runs}) == 1
    assert [run["prepare_seconds"] > 0.1 for runs in found["runs"].values() for run in runs] == [False, True]
    alone, waited = (found["runs"][name][0]["seconds"] for name in ("at once", "after waiting"))
    assert found["ratio"] == pytest.approx([alone / waited] * 3, abs=1e-4)
    assert found["saved_seconds"] == pytest.approx([alone - waited] * 3, abs=1e-4)


@pytest.mark.parametrize("asked", [["--rate", "51"], ["--seconds", "121"], ["--given-up", "1001"], ["--rate", "0"]])
def test_a_load_that_could_bring_the_machine_down_is_refused(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        writing_load.main(asked)
    assert "at most 50 a second, 120 s and 1000 given up" in capsys.readouterr().err


def test_a_contender_that_is_not_known_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fine_tune.main(["someone.jsonl", "--contenders", "base,gpt"])
    assert "no contender 'gpt'" in capsys.readouterr().err


def test_a_missing_base_corpus_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOTFACTORY_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="BOTFACTORY_DATA"):
        _ = personas.BaseCorpus(1).symbols


def test_each_command_of_the_docs_is_a_script() -> None:
    pages = (common.ROOT / "docs" / name for name in ("benchmarks.md", "benchmarks-log.md"))
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    scripts = set(re.findall(r"-m benchmarks\.(\w+)", text))
    assert {"training", "generation", "fine_tune", "growth"} <= scripts
    for script in scripts:
        assert (common.ROOT / "benchmarks" / f"{script}.py").exists(), script
