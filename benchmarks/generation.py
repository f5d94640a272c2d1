"""How fast posts are written, alone and side by side, against Keras, and how long a model takes to load.

    python -m benchmarks.generation --json

A turn writes posts of an exact length with the product's own sampler: the network sets its end mark there, and nowhere
before. The network of "lstm" is the tutorial's (embedding 64, one LSTM of 512), with random weights that write only
ASCII, so that a step of any contender is a character. "base" is the shipped base model. Loading is measured in separate
processes, which import what writes posts and, as they assert, no TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import NetworkConfig, SamplingConfig
from models_app.ml.networks.registry import Stepper, kind_of
from models_app.ml.networks.states import Arrays, Recurrent
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.vocabulary import Vocabulary, vocabulary_of

from . import common, stock
from .common import Rates, Spread, say

# Run by a fresh interpreter: prints the milliseconds of the imports and of loading, and the peak memory in MB.
LOADING = """
import json, sys, time
begun = time.perf_counter()
from pathlib import Path
from models_app.ml.checkpoint import load
from models_app.ml.sampling.sampler import Sampler
imported = time.perf_counter()
Sampler(load(Path(sys.argv[1]), as_stored=True))
loaded = time.perf_counter()
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
from benchmarks.common import peak_megabytes
print(json.dumps({"load": 1e3 * (loaded - imported), "import": 1e3 * (imported - begun), "memory": peak_megabytes()}))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    network = NetworkConfig(kind="lstm", embedding=options.embedding, units=options.units)
    models = {"lstm": ascii_network(network), "base": load(options.base, as_stored=True)}
    contenders = {"predict": common.timed(_predict(models["lstm"], options), options.predicted)}
    for rows in options.streams:
        contenders[f"function@{rows}"] = common.timed(_function(models["lstm"], rows, options), rows * options.function)
        for name, model in models.items():
            contenders[f"{name}@{rows}"] = common.timed(*writing(model, rows, options.characters))
    rates = common.interleaved(contenders, options.rounds)
    result = figures(rates, options) | {"base_network": models["base"].network.as_dict(), "machine": facts}
    result |= loading(options.base, options.loads)
    _show(result)
    if options.json:
        headline = {name: found.median for name, found in result.items() if isinstance(found, Spread)}
        characters = {
            name: {rows: one.median for rows, one in found.items()}
            for name, found in result["characters_per_second"].items()
        }
        spreads = {f"{name}_spread": found for name, found in result.items() if isinstance(found, Spread)}
        common.json_line(result | headline | {"characters_per_second": characters} | spreads)


class EndsAt(Recurrent):
    """A network that predicts the end mark after this many characters, and nowhere else."""

    def __init__(self, network: Stepper, vocabulary: Vocabulary, characters: int) -> None:
        if not isinstance(network, Recurrent):
            raise TypeError("Only a recurrent network can be made to end.")
        self._network, self._characters, self._end = network, characters, vocabulary.end
        # (size,): how many characters begin in each symbol. Every byte that does not continue one begins one.
        begin = [sum(byte & 0xC0 != 0x80 for byte in data) for data in vocabulary.symbol_bytes]
        self._begin = np.array(begin, np.intp)
        self._begin[vocabulary.end] = 0
        self._has_tokens = bool(self._begin.max() > 1)

    def start(self, rows: int) -> Arrays:
        """Return the network's state, with no character begun in any row."""
        return Arrays((*self._network.start(rows), np.zeros(rows, np.intp)))

    def step(self, symbols: NDArray[Any], state: Any, sizes: Sequence[int] = ()) -> tuple[Any, Arrays]:
        """Return the network's logits, except that the end mark's says whether the last character has begun.

        Symbols with too many characters are as unlikely as it is before. The sampler bars it from the middle of one.
        """
        logits, after = self._network.step(symbols, state[:-1], sizes)
        begun = state[-1] + self._begin[symbols]
        if self._has_tokens:
            logits[self._begin > self._characters - begun[:, np.newaxis]] = -1e9
        logits[:, self._end] = np.where(begun >= self._characters, 1e9, -1e9)
        return logits, Arrays((*after, begun))


class ExactSampler(Sampler):
    """The product's sampler, with posts of this many characters."""

    def __init__(self, checkpoint: Checkpoint, characters: int) -> None:
        super().__init__(checkpoint)
        self._stepper = EndsAt(self._stepper, vocabulary_of(checkpoint.network), characters)


def writing(model: Checkpoint, rows: int, characters: int) -> tuple[Callable[[], None], int]:
    """Return what writes posts, `rows` at a time, and their number of characters."""
    sampler = ExactSampler(model, characters)
    turns = max(1, 8 // rows)  # one post takes little time

    def work() -> None:
        for seed in range(turns):
            config = SamplingConfig(count=rows, seed=seed, max_characters=characters, mask_mentions=False)
            posts = sampler.generate(config).posts
            if [len(post) for post in posts] != [characters] * rows:
                raise RuntimeError(f"Of {rows} posts of {characters} characters there came: {posts}")

    return work, turns * rows * characters


def ascii_network(network: NetworkConfig) -> Checkpoint:
    """Return a network with random weights that writes printable ASCII."""
    weights = kind_of(network).first_weights(network, 0)
    weights["output_bias"][:] = -30
    weights["output_bias"][0x20:0x7F] = 0
    return Checkpoint(network, weights, {}, "")


def figures(rates: Rates, options: argparse.Namespace) -> dict[str, Any]:
    """Return ratios, milliseconds per post, and characters per second by contender and streams."""
    most, least = max(options.streams), min(options.streams)
    characters: dict[str, Any] = {"predict": {1: common.spread(rates["predict"])}}
    for name in ("function", "lstm", "base"):
        characters[name] = {rows: common.spread(rates[f"{name}@{rows}"]) for rows in options.streams}
    return {
        "ratio_predict": common.ratio(rates, f"lstm@{most}", "predict"),
        "ratio_predict_one_stream": common.ratio(rates, f"lstm@{least}", "predict"),
        "ratio_function": common.ratio(rates, f"lstm@{most}", f"function@{most}"),
        "ratio_function_one_stream": common.ratio(rates, f"lstm@{least}", f"function@{least}"),
        "post_ms": common.spread([1e3 * options.characters / rate for rate in rates[f"base@{least}"]]),
        "post_characters": options.characters,
        "streams": options.streams,
        "characters_per_second": characters,
    }


def loading(base: Path, times: int) -> dict[str, Spread]:
    """Return the milliseconds of loading a model in a fresh process, of its imports, of both, and the memory in MB."""
    runs: list[dict[str, float]] = []
    for number in range(times + 1):
        say(f"loading {number} of {times}")
        command = [sys.executable, "-c", LOADING, str(base.resolve())]
        runs.append(json.loads(subprocess.run(command, cwd=common.ROOT, check=True, capture_output=True).stdout))
    del runs[0]  # filled the page cache
    return {
        "load_ms": common.spread([run["load"] for run in runs]),
        "import_ms": common.spread([run["import"] for run in runs]),
        "load_with_imports_ms": common.spread([run["load"] + run["import"] for run in runs]),
        "load_memory_mb": common.spread([run["memory"] for run in runs]),
    }


def _predict(model: Checkpoint, options: argparse.Namespace) -> Callable[[], None]:
    return stock.predict_work(model.weights, options.predicted)


def _function(model: Checkpoint, rows: int, options: argparse.Namespace) -> Callable[[], None]:
    return stock.function_work(model.weights, rows, options.function)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--characters", type=int, default=140, help="of each post")
    parser.add_argument("--streams", type=common.whole_numbers_in, default=[1, 8, 64], help="posts side by side")
    parser.add_argument("--predicted", type=int, default=40, help="characters of a turn by model.predict")
    parser.add_argument("--function", type=int, default=140, help="characters of a turn by a tf.function for each")
    parser.add_argument("--loads", type=int, default=9, help="processes that load the base model")
    parser.add_argument("--embedding", type=int, default=64)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    return parser.parse_args(arguments)


def _show(result: dict[str, Any]) -> None:
    machine = result["machine"]
    print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_at_start']}; {machine['versions']}\n")
    kind = result["base_network"]
    titles = {
        "predict": "1 x LSTM, `model.predict` for each character",
        "function": "1 x LSTM, a `tf.function` call for each character",
        "lstm": "1 x LSTM, our sampler",
        "base": f"base model ({kind['kind']}, {kind['layers']} x {kind['units']}), our sampler",
    }
    rows = [
        [titles[name], streams, one.text(0)]
        for name, found in result["characters_per_second"].items()
        for streams, one in found.items()
    ]
    common.table(["characters per second", "streams", "median (lowest to highest)"], rows)
    print()
    for name, found in result.items():
        if isinstance(found, Spread):
            print(f"{name}: {found.text(1)}")


if __name__ == "__main__":
    main()
