"""Memory and speed of fluent bots by the size of their pretrained model, on random weights of the true shapes.

    python -m benchmarks.sizes --shapes smollm2-135m,smollm2-360m,qwen3-0.6b --rounds 2

A turn is a process of its own, as a training is: it trains a few steps of the usual size, then writes ten texts side by
side and one alone. The shapes take turns. Memory is what the process alone holds at its peak: the system can take back
the pages of the frozen weights' file. Speed is in characters, four for each symbol.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any, Final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from models_app.ml.networks.llama.config import GRANITE_4, QWEN3, LlamaConfig
from models_app.ml.networks.llama.store import WEIGHTS, mapped
from models_app.ml.networks.llama.weights import first_adapter, frozen_shapes, rotary_angles
from models_app.ml.training.adapters.config import CHARACTERS_PER_SYMBOL, LENGTH, ROWS
from models_app.ml.training.adapters.memory import bytes_to_train, products_per_symbol
from models_app.ml.training.adapters.packing import packed_batches

from . import common

_NAMES: Final = ("symbols", "layers", "width", "heads", "kv_heads", "head_size", "hidden")
_QWEN: Final[dict[str, Any]] = {"architecture": QWEN3, "qk_norm": True}
_GRANITE: Final[dict[str, Any]] = {
    "architecture": GRANITE_4,
    "embedding_multiplier": 12.0,
    "attention_multiplier": 1 / 64,
    "residual_multiplier": 0.25,
    "logits_scaling": 4.0,
}
#: From the publishers' config.json, except for Granite's constants. All have tied embeddings.
SHAPES: Final[dict[str, tuple[tuple[int, ...], dict[str, Any]]]] = {
    "tiny": ((512, 2, 64, 4, 2, 16, 96), _QWEN),  # to try this script
    "smollm2-135m": ((49_152, 30, 576, 9, 3, 64, 1536), {}),
    "smollm2-360m": ((49_152, 32, 960, 15, 5, 64, 2560), {}),
    "granite-4.0-350m": ((100_352, 28, 1024, 16, 4, 64, 2048), _GRANITE),
    "qwen3-0.6b": ((151_936, 28, 1024, 16, 8, 128, 3072), _QWEN),
    "qwen3-1.7b": ((151_936, 28, 2048, 16, 8, 128, 6144), _QWEN),
    "qwen3-4b": ((151_936, 36, 2560, 32, 8, 128, 9728), _QWEN),
}
FIRST: Final = "smollm2-135m"
TEXTS: Final = 10
WRITTEN: Final = 24


def config_of(name: str) -> LlamaConfig:
    """Return the shape of this name, as a configuration."""
    sizes, extras = SHAPES[name]
    usual = {"vocabulary": "bpe-random", "pretrained": "0" * 64, "end": 0}
    return LlamaConfig.from_dict(usual | dict(zip(_NAMES, sizes, strict=True)) | extras)


def random_weights(config: LlamaConfig, folder: Path) -> None:
    """Write random frozen weights of this shape, as `llama.store` keeps them."""
    noise = np.random.default_rng(0).standard_normal(2**20, np.float32)

    def made(shape: tuple[int, ...]) -> NDArray[Any]:
        if len(shape) == 1:
            return np.ones(shape, np.float32)
        return np.resize((noise * shape[0] ** -0.5).astype(ml_dtypes.bfloat16), shape)

    weights = {name: made(shape) for name, shape in frozen_shapes(config).items()}
    save_file(weights | {"rotary": rotary_angles(config.head_size, 1e5)}, folder / WEIGHTS)


@contextmanager
def watched() -> Iterator[list[int]]:
    """Yield a list whose last number is the most bytes that this process alone has held so far."""
    most, ended = [0], Event()

    def watch() -> None:
        while not ended.wait(0.02):
            most.append(max(most.pop(), _own_bytes()))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def _own_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024


def turn(config: LlamaConfig, folder: Path, steps: int) -> dict[str, float]:
    """Return bytes, characters per second of training, and symbols per second of writing ten texts and one."""
    with watched() as most:
        # A training writes samples, so what it learns with stays in memory.
        speed, _learner = _trained(config, folder, steps)
        of_training = most[-1]
        ten, one = _written(config, folder)
        return {"training": of_training, "all": most[-1], "characters": speed, "ten": ten, "one": one}


def _trained(config: LlamaConfig, folder: Path, steps: int) -> tuple[float, Any]:
    # Imported late: it loads TensorFlow.
    from models_app.ml.networks.llama.network import frozen_tensors
    from models_app.ml.networks.mixed_matmul import product_type
    from models_app.ml.training.adapters.learner import AdapterLearner

    rng = np.random.default_rng(1)
    learner = AdapterLearner(config, frozen_tensors(mapped(folder / WEIGHTS), product_type()))
    learner.start_over(first_adapter(config, 0))
    posts = [rng.integers(1, config.symbols, 40) for _ in range(ROWS * LENGTH * (steps + 2) // 40)]
    batches = packed_batches(posts, rows=ROWS, length=LENGTH, end=config.end)
    seconds = []
    for batch in batches[: steps + 1]:
        begun = time.perf_counter()
        _, count = learner.train(batch, learning_rate=1e-4)
        seconds.append((time.perf_counter() - begun) / count)
    learner.snapshot()
    # The first step built the graph.
    return CHARACTERS_PER_SYMBOL / median(seconds[1:]), learner


def _written(config: LlamaConfig, folder: Path) -> tuple[float, float]:
    from models_app.ml.networks.llama.decoder import LlamaDecoder
    from models_app.ml.networks.llama.int8_file import int8_of
    from models_app.ml.networks.llama.stepper import LlamaStepper

    frozen = mapped(folder / WEIGHTS)
    decoder = LlamaDecoder(config, frozen, int8=int8_of(folder, config, frozen))
    stepper = LlamaStepper(decoder, first_adapter(config, 0))
    found = []
    for rows in (TEXTS, 1):
        state = stepper.start(rows)
        symbols = np.arange(rows) + 1
        _, state = stepper.step(symbols, state)
        begun = time.perf_counter()
        for _ in range(WRITTEN):
            logits, state = stepper.step(symbols, state)
            symbols = logits.argmax(axis=1)
        found.append(rows * WRITTEN / (time.perf_counter() - begun))
    return found[0], found[1]


def measured(names: Sequence[str], rounds: int, steps: int) -> dict[str, list[dict[str, float]]]:
    """Return what each turn of each shape has measured."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="sizes-") as root:
        for name in names:
            common.say(f"random weights: {name}")
            (Path(root) / name).mkdir()
            common.child_line("sizes", "--make", name, "--folder", f"{root}/{name}")
            # Makes the file with int8, which a server has made long before.
            common.child_line("sizes", "--turn", name, "--folder", f"{root}/{name}", "--steps", "1")
        for number in range(rounds):
            common.say(f"round {number + 1} of {rounds}")
            for name in names if number % 2 == 0 else reversed(names):
                told = common.child_line("sizes", "--turn", name, "--folder", f"{root}/{name}", "--steps", str(steps))
                found[name].append(told)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--shapes", type=common.names_in, default=[FIRST, "smollm2-360m"], help=", ".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--make", help="write random weights of this shape")
    parser.add_argument("--turn", help="do one turn with them")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    if options.make:
        random_weights(config_of(options.make), options.folder)
        print("{}")
        return
    if options.turn:
        print(json.dumps(turn(config_of(options.turn), options.folder, options.steps)))
        return
    facts = common.machine()
    found = measured(options.shapes, options.rounds, options.steps)
    medians = {name: {key: median(each[key] for each in turns) for key in turns[0]} for name, turns in found.items()}
    rows = []
    for name, told in medians.items():
        config = config_of(name)
        first = medians.get(FIRST, told)
        rows.append(
            (
                name,
                f"{config.parameters / 1e6:,.0f}",
                f"{told['all'] / 1e9:.1f}",
                f"{bytes_to_train(config) / 1e9:.1f}",
                *(f"{told[key]:,.0f} ({told[key] / first[key]:.2f})" for key in ("characters", "ten", "one")),
                f"{products_per_symbol(config_of(FIRST)) / products_per_symbol(config):.2f}",
            )
        )
    head = (
        "shape",
        "million weights",
        "GB",
        "GB by shape",
        "characters/s",
        "ten texts, symbols/s",
        "one",
        "1/products",
    )
    common.table(head, rows)
    if options.json:
        print(json.dumps({"benchmark": "sizes", "machine": facts, "turns": found}))


if __name__ == "__main__":
    main()
