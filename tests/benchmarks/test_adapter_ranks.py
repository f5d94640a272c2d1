from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import adapter_ranks
from models_app.ml import checkpoint
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.weights import first_adapter
from tests.ml.networks.llama.files import taken_into
from tests.models_app.tiny_llama import hugging_face


def test_each_rank_is_measured_and_the_last_saved(
    tmp_path: Path, base_corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, kept = read_directory(hugging_face(tmp_path / "tiny")), tmp_path / "kept"
    rng = np.random.default_rng(1)
    # Of each product, one direction does almost everything.
    adapter = {
        name: array
        if name.endswith(".a")
        else rng.normal(size=array.shape) * np.geomspace(1, 1e-4, len(array))[:, None]
        for name, array in first_adapter(found.config, 1).items()
    }
    checkpoint.save(tmp_path / "base", network=found.config, weights=adapter, meta={"name": "base"}, half=True)
    rank = found.config.rank
    asked = ["--posts", str(base_corpus), "--stride", "20", "--ranks", str(rank), str(rank - 1), "1", "--json"]
    asked += ["--pretrained", str(tmp_path / "pretrained"), "--save", str(kept)]
    with taken_into(tmp_path / "pretrained", found):
        adapter_ranks.main(["--base", str(tmp_path / "base"), *asked])
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        saved = checkpoint.load(kept)
    assert told["posts"] == 30 and list(told["bits"]) == [str(rank), str(rank - 1), "1"]
    whole, nearly, least = told["bits"].values()
    assert nearly == pytest.approx(whole, rel=1e-3) and least != pytest.approx(whole, rel=1e-3)
    assert isinstance(saved.network, LlamaConfig) and saved.network.rank == 1
    measured = {
        "bits_per_character": pytest.approx(least, abs=1e-5),
        "validation": f"every 20th post of {base_corpus.name}",
    }
    assert saved.meta == {"name": "base", **measured}
