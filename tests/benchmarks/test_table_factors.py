from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import table_factors
from models_app.ml.checkpoint import load
from models_app.ml.config import NetworkConfig

from .conftest import TINY_GLR, last_line

OF_TWO = replace(TINY_GLR, contexts=(2, 0), context_rows=16, context_width=3)


def test_the_best_factors_are_found_and_saved(
    tiny: Callable[[NetworkConfig], Path], base_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, kept = tiny(OF_TWO), tmp_path / "kept"
    # Random weights are best if they say nothing: eight bits for each byte, end marks included.
    posts = lzma.decompress(base_corpus.read_bytes()).decode().splitlines()
    unsure = [
        8 * sum(len(post.encode()) + 1 for post in some) / sum(len(post) + 1 for post in some)
        for some in (posts[::50], posts)
    ]
    asked = ["--try", "1,1,1", "0.5,2,1", "0.5,2,0", "--stride", "50", "--save", str(kept), "--json"]
    table_factors.main(["--base", str(base), "--posts", str(base_corpus), *asked])
    found = last_line(capsys)
    plain, tables, nothing = (each["bits"] for each in found["tried"])
    assert nothing == pytest.approx(unsure[0]) and min(plain, tables) > nothing and plain != tables
    assert found["best"] == [0.5, 2, 0]
    whole = found["all_posts"]
    assert whole["after"] == pytest.approx(unsure[1]) and whole["before"] > whole["after"]
    before, after = load(base), load(kept)
    factors = {"context_0_embedding": 0.5, "context_1_embedding": 2, "output_kernel": 0, "output_bias": 0}
    assert after.meta["multiplied"] == factors
    expected = {name: array * factors.get(name, 1) for name, array in before.weights.items()}
    assert all(np.allclose(after.weights[name], array, rtol=1e-3) for name, array in expected.items())


@pytest.mark.parametrize(
    ("factors", "said"), [("1,1", "The network has 2 tables. Name a factor for each"), ("1,x,1", "isn't a list of num")]
)
def test_factors_that_do_not_fit_are_refused(
    tiny: Callable[[NetworkConfig], Path],
    base_corpus: Path,
    capsys: pytest.CaptureFixture[str],
    factors: str,
    said: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        table_factors.main(["--base", str(tiny(OF_TWO)), "--posts", str(base_corpus), "--try", factors])
    assert said in str(ended.value) + capsys.readouterr().err
