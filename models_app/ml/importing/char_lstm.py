"""The network of the tutorial, as Keras describes it, and the same network over our bytes.

It's a Keras model of one Embedding, one LSTM and one Dense layer over 98 symbols: "" for everything else, tab, line
feed and the printable ASCII characters. All of these are bytes, so its rows and columns become those of the bytes. Its
posts are lines, so its line feed is our end mark. It has seen no other byte; these get what it learned for "".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig
from models_app.ml.errors import BadSetting, LearningError, mark
from models_app.ml.networks.lstm import HARD_SLOPE
from models_app.ml.vocabulary.utf8_bytes import END, SIZE

Array = NDArray[Any]

#: The tutorial's symbols.
SYMBOLS: Final = ("", "\t", "\n", *map(chr, range(0x20, 0x7F)))
MAX_PARAMETERS: Final = 100_000_000
_LINE_END: Final = "\n"
#: The hard sigmoid of Keras 3 is flatter than that of earlier versions, which is ours.
_FLATTER: Final = 1 / 6 / HARD_SLOPE
#: How far an unseen byte is below the least likely symbol, if the network has no symbol for the others.
_BELOW: Final = 10.0


class NotTheTutorials(LearningError):
    """The file holds no network that can be taken over. The message says why."""

    code = "bad_keras_model"


@dataclass(frozen=True, slots=True)
class Layers:
    """What the layers of the network say: names by kind, sizes, and the activation of the LSTM's gates.

    embedding is 0 for a network that reads one-hot vectors. is_keras_3: whether that is the version that trained it.
    """

    names: Mapping[str, str]
    symbols: int
    embedding: int
    units: int
    gates: Literal["sigmoid", "hard_sigmoid"]
    has_bias: bool
    has_output_bias: bool
    is_keras_3: bool = False

    @property
    def shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """The shape of each weight by kind of layer and name."""
        width = self.embedding or self.symbols
        lstm: dict[str, tuple[int, ...]] = {
            "kernel": (width, 4 * self.units),
            "recurrent_kernel": (self.units, 4 * self.units),
        }
        dense: dict[str, tuple[int, ...]] = {"kernel": (self.units, self.symbols)}
        if self.has_bias:
            lstm["bias"] = (4 * self.units,)
        if self.has_output_bias:
            dense["bias"] = (self.symbols,)
        found = {"LSTM": lstm, "Dense": dense}
        return found | ({"Embedding": {"embeddings": (self.symbols, self.embedding)}} if self.embedding else {})


def layers_of(topology: Any) -> Layers:
    """Return what a model's configuration in JSON says. Raises NotTheTutorials unless it's the tutorial's network."""
    found: dict[str, dict[str, Any]] = {}
    for kind, config in _flat(topology):
        if kind in ("InputLayer", "Dropout", "SpatialDropout1D"):
            continue
        if kind == "Activation" and config.get("activation") == "softmax":
            continue
        if kind not in ("Embedding", "LSTM", "Dense"):
            raise NotTheTutorials(
                mark("This model has a layer %(kind)s. A base model can have one Embedding, one LSTM and one Dense."),
                kind=repr(kind)[:60],
            )
        if kind in found:
            raise NotTheTutorials(mark("This model has more than one layer %(kind)s. It can have one."), kind=kind)
        found[kind] = config
    if missing := [kind for kind in ("LSTM", "Dense") if kind not in found]:
        raise NotTheTutorials(mark("This model has no layer %(kind)s."), kind=missing[0])
    lstm, dense, embedding = found["LSTM"], found["Dense"], found.get("Embedding", {})
    gates = str(lstm.get("recurrent_activation", "hard_sigmoid")).replace("hardSigmoid", "hard_sigmoid")
    if lstm.get("activation", "tanh") != "tanh" or gates not in ("sigmoid", "hard_sigmoid"):
        raise NotTheTutorials(
            mark(
                "The LSTM has the activations %(first)s and %(second)s. It must have tanh, and sigmoid or hard_sigmoid."
            ),
            first=repr(lstm.get("activation"))[:60],
            second=repr(gates)[:60],
        )
    if dense.get("activation", "linear") not in ("softmax", "linear") or lstm.get("go_backwards"):
        raise NotTheTutorials(mark("The model must read forwards and end with a softmax."))
    symbols, units = _size(dense, "units"), _size(lstm, "units")
    if embedding and _size(embedding, "input_dim") != symbols:
        raise NotTheTutorials(mark("The model doesn’t read the same symbols as it writes."))
    made = Layers(
        names={kind: str(config.get("name", "")) for kind, config in found.items()},
        symbols=symbols,
        embedding=_size(embedding, "output_dim") if embedding else 0,
        units=units,
        gates="hard_sigmoid" if gates == "hard_sigmoid" else "sigmoid",
        has_bias=bool(lstm.get("use_bias", True)),
        has_output_bias=bool(dense.get("use_bias", True)),
    )
    if sum(math.prod(shape) for named in made.shapes.values() for shape in named.values()) > MAX_PARAMETERS:
        raise NotTheTutorials(mark("This model is too large. The limit is %(most)s parameters."), most=MAX_PARAMETERS)
    return made


def over_bytes(
    layers: Layers, weights: Mapping[str, Mapping[str, Array]], symbols: Sequence[str] = ()
) -> tuple[NetworkConfig, dict[str, Array]]:
    """Return the network over bytes and its weights, from the weights by kind of layer and name.

    `symbols` are the characters that the network reads, in order, by default the tutorial's. Raises NotTheTutorials.
    """
    places = _places(layers, symbols or SYMBOLS)
    spare = (symbols or SYMBOLS).index("") if "" in (symbols or SYMBOLS) else None
    lstm, dense = weights["LSTM"], weights["Dense"]
    table = weights["Embedding"]["embeddings"] if layers.embedding else np.eye(layers.symbols)
    bias = lstm.get("bias", np.zeros(4 * layers.units))
    output_bias = dense.get("bias", np.zeros(layers.symbols))
    factors = np.ones(4 * layers.units)
    if layers.gates == "hard_sigmoid" and layers.is_keras_3:
        factors[:] = _FLATTER
        factors[2 * layers.units : 3 * layers.units] = 1
    unseen = [byte for byte in range(SIZE) if byte not in places]
    embedding = np.zeros((SIZE, table.shape[1]))
    kernel, ends = np.zeros((layers.units, SIZE)), np.full(SIZE, output_bias.min() - _BELOW)
    if spare is not None:
        embedding[unseen] = table[spare]
        kernel[:, unseen] = dense["kernel"][:, [spare]]
        # Together, they are as likely as the one symbol was.
        ends[unseen] = output_bias[spare] - np.log(len(unseen))
    known = list(places)
    embedding[known] = table[list(places.values())]
    kernel[:, known] = dense["kernel"][:, list(places.values())]
    ends[known] = output_bias[list(places.values())]
    try:
        config = NetworkConfig(kind="lstm", embedding=table.shape[1], units=layers.units, gates=layers.gates)
    except BadSetting as error:
        raise NotTheTutorials(mark("This model can’t be used: %(reason)s"), reason=error) from error
    made = {
        "embedding": embedding,
        "kernel": lstm["kernel"] * factors,
        "recurrent": lstm["recurrent_kernel"] * factors,
        "bias": bias * factors,
        "output_kernel": kernel,
        "output_bias": ends,
    }
    if not all(np.isfinite(array).all() for array in made.values()):
        raise NotTheTutorials(mark("The model has weights that aren’t finite numbers."))
    return config, {name: np.ascontiguousarray(array, np.float32) for name, array in made.items()}


def _places(layers: Layers, symbols: Sequence[str]) -> dict[int, int]:
    """Return the network's symbol for each byte that it knows. The line feed is the end mark."""
    if len(symbols) != layers.symbols:
        raise NotTheTutorials(
            mark(
                "This model has %(found)s symbols, but its list has %(count)s characters. Put the model into a ZIP "
                "with characters.json, the list of its characters in their order."
            ),
            found=layers.symbols,
            count=len(symbols),
        )
    if any(len(symbol) > 1 or not symbol.isascii() for symbol in symbols) or len(set(symbols)) < len(symbols):
        raise NotTheTutorials(mark("The characters must be different ASCII characters, with “” for all others."))
    if _LINE_END not in symbols:
        raise NotTheTutorials(mark("The characters have no line feed, which ends a post."))
    return {END if symbol == _LINE_END else ord(symbol): place for place, symbol in enumerate(symbols) if symbol}


def _flat(topology: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the class and configuration of each layer, whatever the version of Keras that wrote them."""
    try:
        if "model_config" in topology:
            topology = topology["model_config"]
        config = topology["config"]
        if topology["class_name"] not in ("Sequential", "Model", "Functional"):
            raise NotTheTutorials(mark("This isn’t a Sequential model of Keras."))
        found = []
        for layer in config["layers"] if isinstance(config, dict) else config:
            if layer["class_name"] == "TimeDistributed":
                inner = layer["config"]["layer"]
                found.append((str(inner["class_name"]), {**inner["config"], "name": layer["config"].get("name", "")}))
            else:
                found.append((str(layer["class_name"]), dict(layer["config"])))
    except (KeyError, TypeError, ValueError) as error:
        raise NotTheTutorials(mark("The file doesn’t describe a model of Keras.")) from error
    return found


def _size(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 2**16:
        raise NotTheTutorials(
            mark("%(name)s must be a whole number, not %(value)s."), name=name, value=repr(value)[:60]
        )
    return value
