"""How fast fluent bots write: steps in ONNX Runtime against llama.cpp.

    python -m benchmarks.decoding --rows 1 10 --rounds 5 --posts ../shared/data/personas/SenSanders.jsonl.gz

A step draws the next symbol of each of so many texts from the shipped fluent base. Each contender lives in a process of
its own, and they take turns. llama.cpp reads the publisher's file, whose weights are smaller than ours, and the adapter
as GGUF. It draws the symbols itself, one request for each text. With posts, also prints the bits per character of the
newest 200 by products in int8, as bots write, and in float32. And one more contender steps through these posts with the
person's phrases, as trained bots do.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from models_app.bots.pretrained import packaged_file
from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.formats import gguf_files
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.stepper import LlamaStepper
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.phrases import Phrases, Recalling
from models_app.ml.networks.processor import PRODUCTS_VARIABLE, available
from models_app.ml.networks.registry import Stepper

from . import common
from .bases import FLUENT, PRETRAINED, loaded
from .personas import read_persona

STEPS: Final = 40
NEWEST: Final = 200
OURS: Final = "ONNX Runtime"
#: Settings of BOTFACTORY_ML_PRODUCTS.
PRODUCTS: Final = {"int8": "auto", "float32": "float32"}


def in_onnx_runtime(base: Path, pretrained: Path, rows: int) -> common.Contender:
    from models_app.ml.networks.llama.decoder import LlamaDecoder

    network, weights = _taken_apart(loaded(base, pretrained))
    return _contender(LlamaStepper(LlamaDecoder(network, LIBRARY.get(network.pretrained).weights), weights), rows)


def with_phrases(base: Path, pretrained: Path, rows: int, posts: Path) -> common.Contender:
    """Step through posts that the phrases are counted in, where almost each context is known."""
    from models_app.ml.networks.llama.decoder import LlamaDecoder

    network, weights = _taken_apart(loaded(base, pretrained))
    frozen = LIBRARY.get(network.pretrained)
    encoded = [frozen.vocabulary.encode(post) for post in read_persona(posts, newest=3200).train]
    stepper = LlamaStepper(LlamaDecoder(network, frozen.weights), weights)
    symbols = np.concatenate(encoded)[: STEPS * rows].astype(np.int64).reshape(rows, STEPS).T
    return _contender(Recalling(stepper, Phrases.of(encoded, network.end), network.end), rows, symbols)


def in_llama_cpp(base: Path, gguf: Path, rows: int) -> common.Contender:
    # Imported late: only this contender needs it.
    import xllamacpp

    network, weights = _taken_apart(load(base))
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    # Each text has a part of the context.
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 256 * rows, rows, 0
    params.cpuparams.n_threads = available()
    with tempfile.NamedTemporaryFile(suffix=".gguf") as adapter:
        gguf_files.write_lora(network, weights, {}, adapter)
        adapter.flush()
        info = xllamacpp.CommonAdapterLoraInfo()
        info.path, info.scale = adapter.name, 1.0
        params.lora_adapters = [info]
        server = xllamacpp.Server(params)
    asked = {"prompt": [network.end], "max_tokens": STEPS, "ignore_eos": True, "cache_prompt": False}
    pool = ThreadPoolExecutor(rows)

    def write() -> None:
        for answer in pool.map(lambda seed: server.handle_completions({**asked, "seed": seed}), range(rows)):
            assert answer["usage"]["completion_tokens"] == STEPS, answer

    return common.timed(write, STEPS)


def _taken_apart(checkpoint: Checkpoint) -> tuple[LlamaConfig, Any]:
    assert isinstance(checkpoint.network, LlamaConfig)
    return checkpoint.network, checkpoint.weights


def _contender(stepper: Stepper, rows: int, symbols: NDArray[np.int64] | None = None) -> common.Contender:
    """Return the contender that steps this many texts STEPS times, in steps per second."""
    if symbols is None:
        symbols = np.random.default_rng(0).integers(1, 200, (STEPS, rows))

    def write() -> None:
        state = stepper.step(np.zeros(1, np.int64), stepper.start(1))[1].fork(rows)
        for each in symbols:
            state = stepper.step(each, state)[1]

    return common.timed(write, STEPS)


def bits(checkpoint: Checkpoint, posts: Sequence[str], products: str) -> float:
    """Return the bits per character of the posts, with products of this setting."""
    with patch.dict(os.environ, {PRODUCTS_VARIABLE: products}):
        return evaluate(checkpoint, posts).bits_per_character


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    body: list[list[object]] = []
    found: dict[str, Any] = {}
    for rows in options.rows:
        contenders = {
            OURS: common.in_own_process(in_onnx_runtime, options.base, options.pretrained, rows),
            "llama.cpp": common.in_own_process(in_llama_cpp, options.base, options.gguf, rows),
        }
        if options.posts is not None:
            own = common.in_own_process(with_phrases, options.base, options.pretrained, rows, options.posts)
            contenders["ONNX Runtime, with phrases"] = own
        rates = found[str(rows)] = common.interleaved(contenders, options.rounds)
        for name in contenders:
            steps = common.spread([1000 / rate for rate in rates[name]]).text(1)
            body.append([rows, name, steps, common.ratio(rates, OURS, name).text()])
    common.table(["texts", "stepped in", "milliseconds per step", f"{OURS} is times as fast"], body)
    result = {"benchmark": "decoding", "machine": facts, "rates": found}
    if options.posts is not None:
        checkpoint = loaded(options.base, options.pretrained)
        newest = read_persona(options.posts, newest=3200).test[-NEWEST:]
        cost = result["bits"] = {name: bits(checkpoint, newest, value) for name, value in PRODUCTS.items()}
        common.table(["products in", "bits per character"], [[name, f"{each:.4f}"] for name, each in cost.items()])
    if options.json:
        common.json_line(result)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 10], help="texts at once (default: 1 10)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", type=Path, default=FLUENT, help="fluent base model (default: %(default)s)")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, help="its frozen weights (default: %(default)s)")
    parser.add_argument(
        "--gguf",
        type=Path,
        default=packaged_file(),
        help="the publisher's file of these weights (default: the installed package's)",
    )
    parser.add_argument("--posts", type=Path, help="a persona's posts, to compare what the products cost")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
