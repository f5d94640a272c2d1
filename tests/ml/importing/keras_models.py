"""The tutorial's network as Keras has it, and its files as libraries write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

#: The tutorial's symbols, in its order.
CHARACTERS: Final = ["", "\t", "\n", *(chr(code) for code in range(32, 127))]
EMBEDDING: Final = 6
UNITS: Final = 10


def keras_model(*, one_hot: bool = False, **lstm: Any) -> Any:
    """Return a model with random weights, which aren't small."""
    reads = (
        [keras.Input((None, 98))]
        if one_hot
        else [keras.Input((None,)), keras.layers.Embedding(98, EMBEDDING, name="embedding_1")]
    )
    settings = {"recurrent_activation": "sigmoid", "return_sequences": True, "name": "lstm_1"} | lstm
    model = keras.Sequential(
        [
            *reads,
            keras.layers.Dropout(0.1),
            keras.layers.LSTM(UNITS, **settings),
            keras.layers.TimeDistributed(keras.layers.Dense(98, activation="softmax"), name="time_distributed_1"),
        ]
    )
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, 0.7, array.shape) for array in model.get_weights()]
    # In training, it never saw the symbol of all other characters.
    weights[-1][0] = -40
    model.set_weights(weights)
    return model


def symbols_of(text: str) -> list[int]:
    """Return the tutorial's symbols of a text that begins after the end of a line."""
    return [CHARACTERS.index(character) for character in "\n" + text]


def log_probabilities(model: Any, text: str, *, one_hot: bool = False) -> NDArray[np.float64]:
    """Return the model's log probabilities after the line feed and after each character, (characters + 1, 98)."""
    symbols: NDArray[Any] = np.array([symbols_of(text)])
    if one_hot:
        symbols = np.eye(98, dtype=np.float32)[symbols]
    return np.asarray(np.log(np.asarray(model(symbols))[0].astype(np.float64)))


def old_h5(model: Any, path: Path, *, gates: str = "hard_sigmoid") -> Path:
    """Write the model as Keras 2.2 did: layers and weights have other names, and there is no version 3."""
    embedding, kernel, recurrent, bias, output, output_bias = model.get_weights()
    layers: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("Embedding", {"name": "embedding_1", "input_dim": 98, "output_dim": EMBEDDING}, {"embeddings": embedding}),
        (
            "LSTM",
            {"name": "lstm_1", "units": UNITS, "activation": "tanh", "recurrent_activation": gates, "stateful": True},
            {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias},
        ),
        (
            "TimeDistributed",
            {
                "name": "time_distributed_1",
                "layer": {"class_name": "Dense", "config": {"name": "dense_1", "units": 98, "activation": "softmax"}},
            },
            {"kernel": output, "bias": output_bias},
        ),
    ]
    with h5py.File(path, "w") as file:
        described = [{"class_name": kind, "config": config} for kind, config, _ in layers]
        file.attrs["keras_version"] = b"2.2.4"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": described}).encode()
        for _, config, weights in layers:
            group = file.create_group(f"model_weights/{config['name']}/{config['name']}")
            for name, array in weights.items():
                group.create_dataset(f"{name}:0", data=array)
    return path


def layers_model(model: Any, *, gates: str = "hardSigmoid", quantized: bool = False) -> dict[str, bytes]:
    """Return the files of the model as TensorFlow.js saves it, in two shards."""
    embedding, kernel, recurrent, bias, output, output_bias = model.get_weights()
    layers = [
        {
            "class_name": "Embedding",
            "config": {"name": "embedding_1", "input_dim": 98, "output_dim": EMBEDDING, "batch_input_shape": [1, None]},
        },
        {
            "class_name": "LSTM",
            "config": {"name": "lstm_1", "units": UNITS, "activation": "tanh", "recurrent_activation": gates},
        },
        {"class_name": "Dense", "config": {"name": "dense_1", "units": 98, "activation": "softmax"}},
    ]
    named = {
        "embedding_1/embeddings": embedding,
        "lstm_1/lstm_cell/kernel": kernel,
        "lstm_1/lstm_cell/recurrent_kernel": recurrent,
        "lstm_1/lstm_cell/bias": bias,
        "dense_1/kernel": output,
        "dense_1/bias": output_bias,
    }
    entries, data = [], b""
    for name, array in named.items():
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": "float32"}
        if quantized:
            low, scale = float(array.min()), float(np.ptp(array)) / 65535
            entry["quantization"] = {"dtype": "uint16", "min": low, "scale": scale, "original_dtype": "float32"}
            data += np.round((array - low) / scale).astype("<u2").tobytes()
        else:
            data += array.astype("<f4").tobytes()
        entries.append(entry)
    shards = ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    topology = {"keras_version": "2.2.4", "model_config": {"class_name": "Sequential", "config": {"layers": layers}}}
    content = {
        "format": "layers-model",
        "modelTopology": topology,
        "weightsManifest": [{"paths": shards, "weights": entries}],
    }
    return {"model.json": json.dumps(content).encode(), shards[0]: data[:1001], shards[1]: data[1001:]}
