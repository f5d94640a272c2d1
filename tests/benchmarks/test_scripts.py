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
    peak,
    pytorch,
    training,
    writing_load,
)
from benchmarks.posts import made_posts
from models_app.ml.config import NetworkConfig
from tests.ml.conftest import TINY_TOKENS, TOKENS

from .conftest import TINY_GLR, TINY_LSTM, last_line, persona_file

pytestmark = [pytest.mark.usefixtures("quick_trainings"), pytest.mark.long]
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
    assert {"ratio_torch_bf16", "ratio_torch_float32", "peak_gflops", "batches", "loss_other_start"} - of_torch <= set(
        found
    )
    for name in ("ratio_own_float32", "share_of_peak", "base_share_of_peak", "base_bytes_per_second", "loss_bfloat16"):
        assert found[name] > 0, name
    speeds = {name: median for name, (median, _, _) in found["bytes_per_second"].items()}
    assert found["ratio_stock_keras"] == pytest.approx(speeds[f"ours_{found['products']}"] / speeds["keras"], rel=1e-3)
    assert found["loss_float32"] < found["loss_untrained"] + 0.1


def test_a_base_of_tokens_is_measured_in_bytes_and_characters(tiny: Tiny) -> None:
    base = tiny(TINY_TOKENS)
    size, count = training.bytes_in(training.made_batches(8, 4, 2, TINY_TOKENS), TINY_TOKENS)
    assert count == 2 * 8 * 4 < size
    assert training.contender("base", base, 8, 4, 2)() > 0
    looked_up = replace(TINY_TOKENS, tied=False)
    more = peak.operations_per_symbol(TINY_TOKENS) - peak.operations_per_symbol(looked_up)
    size, width, units = TOKENS.size, TINY_TOKENS.embedding, TINY_TOKENS.units
    assert more == 6 * (units * width + size * width - units * size)


def test_each_persona_has_a_row_of_all_contenders_and_a_second_run_takes_it_from_the_file(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = persona_file(tmp_path / "someone.jsonl", list(made_posts(40)))
    small = ["--epochs", "1", "--tutorial-epochs", "1", "--least", "40"]
    models = ["--base", str(tiny(TINY_GLR)), "--lstm", str(tiny(TINY_LSTM)), "--out", str(tmp_path / "outcomes.jsonl")]
    arguments = [str(file), *small, *models, "--stock-keras", "--json"]
    fine_tune.main(arguments)
    found = last_line(capsys)
    (row,) = found["personas"]
    assert (row["persona"], row["found"], row["posts"]) == ("someone", 40, 40)
    for name in (*fine_tune.NAMES, "stock_keras"):
        assert 0 < row[name]["bits"] < 10, name
    epochs = {name: row[name]["epochs"] for name in ("base", "default", "nothing", "tutorial", "stock_keras")}
    assert epochs == {"base": 0, "default": 1, "nothing": 1, "tutorial": 1, "stock_keras": 1}
    ours = row["default"]
    assert row["ratio_stock_keras"] == pytest.approx(row["stock_keras"]["seconds"] / ours["seconds"], rel=1e-3)
    assert found["default_against"]["tutorial"] == pytest.approx(
        100 * (ours["bits"] / row["tutorial"]["bits"] - 1), abs=1e-3
    )

    def trained_again(*_: Any) -> None:
        raise AssertionError("What the file knows is run again.")

    for contender in (contenders.Base, contenders.Ours, contenders.Tutorial):
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


def test_each_script_of_the_docs_is_here() -> None:
    text = (common.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    scripts = set(re.findall(r"(?<=\| `)\w+|(?<=-m benchmarks\.)\w+", text))
    assert {"training", "fine_tune", "connections"} <= scripts
    for script in scripts:
        assert (common.ROOT / "benchmarks" / f"{script}.py").exists(), script
