"""Products in int8, and what writing loads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from numpy.typing import NDArray

from models_app.ml import checkpoint
from models_app.ml.errors import BadSetting, LearningError
from models_app.ml.networks.llama import onnx_graph, steppers
from models_app.ml.networks.llama.decoder import LlamaDecoder
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.onnx_graph import BLOCK, ZERO, graph_of, rounded
from models_app.ml.networks.llama.stepper import LlamaStepper
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.llama.weights import first_adapter
from models_app.ml.networks.processor import PRODUCTS_VARIABLE
from tests.models_app.tiny_llama import hugging_face

from .conftest import TINY, made_adapter
from .files import taken_into

Weights = dict[str, NDArray[Any]]


def test_a_rounded_number_is_off_by_half_a_step_at_most() -> None:
    matrix = np.random.default_rng(0).normal(0, 1, (2 * BLOCK, 5)).astype(np.float32)
    matrix[:BLOCK, 2] = 0
    numbers, scales = rounded(matrix)
    steps = scales.reshape(5, 2, 1)
    found = (numbers.astype(np.float32) - ZERO) * steps
    expected = matrix.T.reshape(5, 2, BLOCK)
    assert (np.abs(found - expected) <= 0.5001 * steps).all()
    assert (found[2, 0] == 0).all()
    assert numbers.min() >= 1 and np.abs(numbers.astype(int) - ZERO).max() == 127


def test_a_large_matrix_is_rounded_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).normal(0, 1, (BLOCK, 7)).astype(np.float32)
    numbers, scales = rounded(matrix)
    monkeypatch.setattr(onnx_graph, "_AT_ONCE", 3)
    in_parts = rounded(matrix)
    np.testing.assert_array_equal(in_parts[0], numbers)
    np.testing.assert_array_equal(in_parts[1], scales)


def test_a_wrong_setting_of_products_is_told(
    monkeypatch: pytest.MonkeyPatch, frozen: Weights, adapter: Weights
) -> None:
    with_weights(monkeypatch, frozen)
    monkeypatch.setenv(PRODUCTS_VARIABLE, "int3")
    with pytest.raises(LearningError, match="BOTFACTORY_ML_PRODUCTS must be auto, bfloat16 or float32, not 'int3'"):
        steppers.stepper(TINY, adapter)


def test_products_in_int8_hardly_change_what_comes_next(frozen: Weights, adapter: Weights) -> None:
    """The mean Kullback-Leibler divergence from the exact distribution, in nats."""
    symbols = np.random.default_rng(1).integers(0, TINY.symbols, (8, 12))
    logs = []
    for exact in (True, False):
        stepper = LlamaStepper(LlamaDecoder(TINY, frozen, exact=exact), adapter)
        logits = stepper.read(symbols, stepper.start(8))[0].astype(np.float64)
        logs.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    exactly, about = logs
    assert not np.array_equal(exactly, about)
    assert (np.exp(exactly) * (exactly - about)).sum(axis=1).mean() < 0.001


def test_only_what_fits_into_blocks_is_rounded(frozen: Weights) -> None:
    assert TINY.hidden % BLOCK and not TINY.width % BLOCK
    weights = graph_of(TINY, frozen, exact=False).weights
    assert weights["0.expand.main.numbers"].dtype == np.uint8
    assert weights["0.contract.main.matrix"].dtype == np.float32
    assert not [name for name in graph_of(TINY, frozen, exact=True).weights if name.endswith(".numbers")]


def test_without_an_adapter_it_is_the_pretrained_model(frozen: Weights) -> None:
    plain = replace(TINY, rank=0)
    nothing = {name: np.zeros_like(array) for name, array in made_adapter(TINY).items()}
    symbols = np.array([[5, 6, 7]])
    plainly, with_nothing = (
        stepper.read(symbols, stepper.start(1))[0]
        for stepper in (
            LlamaStepper(LlamaDecoder(plain, frozen, exact=True), {}),
            LlamaStepper(LlamaDecoder(TINY, frozen, exact=True), nothing),
        )
    )
    np.testing.assert_allclose(plainly, with_nothing, atol=1e-5)


def with_weights(monkeypatch: pytest.MonkeyPatch, frozen: Weights) -> None:
    """Let the process find these frozen weights, whichever it looks for."""
    steppers._decoder.cache_clear()
    monkeypatch.setattr(LIBRARY, "get", lambda _: SimpleNamespace(weights=frozen))
    monkeypatch.setattr("models_app.ml.networks.llama.int8_file.int8_of", lambda *given: None)


def test_heads_that_no_decoder_can_turn_are_refused() -> None:
    with pytest.raises(BadSetting, match="heads must be a multiple of kv_heads, and head_size a multiple of 16"):
        replace(TINY, head_size=24)


def test_writing_with_a_llama_loads_no_tensorflow(tmp_path: Path) -> None:
    found = read_directory(hugging_face(tmp_path / "tiny"))
    with taken_into(tmp_path / "pretrained", found):
        adapter = tmp_path / "adapter"
        checkpoint.save(adapter, network=found.config, weights=first_adapter(found.config, 1), meta={})
    code = f"""
import sys
from pathlib import Path
from models_app.ml.checkpoint import load
from models_app.ml.config import SamplingConfig
from models_app.ml.networks.llama.stepper import LlamaStepper
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.sampling.sampler import Sampler
LIBRARY.keep_in(Path({str(tmp_path / "pretrained")!r}))
sampler = Sampler(load(Path({str(adapter)!r})))
posts = sampler.generate(SamplingConfig(count=2, seed=1, max_characters=60), cut=True).posts
print(len(posts), "tensorflow" in sys.modules)
"""
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["2", "False"]
