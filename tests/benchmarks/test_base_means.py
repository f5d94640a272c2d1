from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import base_means
from models_app.ml import checkpoint
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.weights import first_adapter
from tests.ml.networks.llama.files import taken_into
from tests.models_app.tiny_llama import hugging_face

pytestmark = pytest.mark.long


def test_the_bases_and_their_mean_are_measured_and_the_mean_is_saved(
    tmp_path: Path, base_corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, kept = read_directory(hugging_face(tmp_path / "tiny")), tmp_path / "kept"
    rng = np.random.default_rng(1)
    first = first_adapter(found.config, 1)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        adapter = {name: array + rng.normal(size=array.shape) for name, array in first.items()}
        meta = {"name": folder.name, "validation_loss": 1.0}
        checkpoint.save(folder, network=found.config, weights=adapter, meta=meta, half=True)
    asked = ["--bases", *map(str, folders), "--shares", "0.25", "0.75", "--posts", str(base_corpus), "--stride", "20"]
    asked += ["--pretrained", str(tmp_path / "pretrained"), "--save", str(kept), "--json"]
    with taken_into(tmp_path / "pretrained", found):
        base_means.main(asked)
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        one, two, mean = (checkpoint.load(folder) for folder in (*folders, kept))
    assert told["posts"] == 30 and len(told["bases"]) == 2 and told["mean"] not in told["bases"]
    assert [each["sha256"] for each in told["mean_of"]] == [one.sha256, two.sha256]
    assert mean.meta["mean_of"] == told["mean_of"] and mean.meta["name"] == "two"
    assert mean.meta["bits_per_character"] == pytest.approx(told["mean"]) and "validation_loss" not in mean.meta
    assert mean.meta["validation"] == f"every 20th post of {base_corpus.name}"
    for name, array in mean.weights.items():
        np.testing.assert_allclose(array, 0.25 * one.weights[name] + 0.75 * two.weights[name], atol=2e-3)


def test_shares_and_shapes_that_make_no_mean_are_refused(tmp_path: Path) -> None:
    found = read_directory(hugging_face(tmp_path / "tiny"))
    adapter = first_adapter(found.config, 1)
    base = checkpoint.Checkpoint(found.config, adapter, {}, "")
    with pytest.raises(ValueError, match="Together they must be 1"):
        base_means.mean_of([base, base], [0.5, 0.6])
    with pytest.raises(ValueError, match="one share for each"):
        base_means.mean_of([base, base], [1.0])
