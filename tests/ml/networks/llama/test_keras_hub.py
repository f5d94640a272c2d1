"""KerasHub's Llama 3 is the oracle: the same logits, and the same gradients of the adapter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.cross_entropy import summed_cross_entropy
from models_app.ml.networks.llama.network import HIDDEN, LlamaNetwork, frozen_tensors
from models_app.ml.networks.llama.weights import MAPS

from .conftest import ROPE_BASE, TINY, made_adapter, made_frozen

Weights = dict[str, NDArray[Any]]
UNTIED = LlamaConfig.from_dict(TINY.as_dict() | {"tied": False})
SYMBOLS = np.array([[0, 5, 17, 250, 17, 9, 3], [0, 299, 2, 2, 41, 8, 77]])
TARGETS = np.array([[5, 17, 250, 17, 9, 3, 0], [299, 2, 2, 41, 8, 77, 0]])


def merged(config: LlamaConfig, frozen: Weights, adapter: Weights) -> Weights:
    """Return the frozen weights with the adapter added to them."""
    found = dict(frozen)
    for layer in range(config.layers):
        for name in MAPS:
            a, b = adapter[f"{layer}.{name}.a"], adapter[f"{layer}.{name}.b"]
            found[f"{layer}.{name}"] = frozen[f"{layer}.{name}"] + config.scale * a @ b
    return found


class Oracle:
    """KerasHub's model with our weights."""

    def __init__(self, config: LlamaConfig, weights: Weights) -> None:
        from keras_hub.models import Llama3Backbone

        self.config = config
        self.model = Llama3Backbone(
            vocabulary_size=config.symbols,
            num_layers=config.layers,
            num_query_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            hidden_dim=config.width,
            intermediate_dim=config.hidden,
            rope_max_wavelength=ROPE_BASE,
            layer_norm_epsilon=config.norm_epsilon,
            tie_word_embeddings=config.tied,
        )
        self.model.token_embedding.embeddings.assign(weights["embedding"])
        if not config.tied:
            self.model.token_embedding.reverse_embeddings.assign(weights["head"].T)
        self.model.layer_norm.scale.assign(weights["norm"])
        for number, layer in enumerate(self.model.transformer_layers):
            layer._self_attention_layernorm.scale.assign(weights[f"{number}.attend_norm"])
            layer._feedforward_layernorm.scale.assign(weights[f"{number}.expand_norm"])
            for kernel, part in zip(self.kernels(number), self.parts(number, weights), strict=True):
                kernel.assign(part.reshape(kernel.shape))

    def kernels(self, number: int) -> list[Any]:
        """Return the kernels of query, key, value, attention output, gate, up and down."""
        layer = self.model.transformer_layers[number]
        attention = layer._self_attention_layer
        dense = (attention._query_dense, attention._key_dense, attention._value_dense, attention._output_dense)
        feed_forward = (
            layer._feedforward_gate_dense,
            layer._feedforward_intermediate_dense,
            layer._feedforward_output_dense,
        )
        return [each.kernel for each in (*dense, *feed_forward)]

    def parts(self, number: int, weights: Weights) -> list[NDArray[Any]]:
        """Return our weights in the order of `kernels`."""
        config = self.config
        ends = np.cumsum([config.heads * config.head_size, config.kv_heads * config.head_size])
        query, key, value = np.split(weights[f"{number}.attend"], ends, axis=1)
        # KerasHub's "gate" is multiplied as it is, and its "intermediate" goes through silu.
        gate, up = np.split(weights[f"{number}.expand"], 2, axis=1)
        return [query, key, value, weights[f"{number}.attend_out"], gate, up, weights[f"{number}.contract"]]

    def logits(self) -> Any:
        hidden = self.model({"token_ids": SYMBOLS, "padding_mask": np.ones_like(SYMBOLS)})
        return self.model.token_embedding(hidden, reverse=True)


def causal(rows: int, length: int) -> Any:
    mask = np.where(np.tril(np.ones((length, length))) > 0, 0, HIDDEN).astype(np.float32)
    return tf.constant(np.repeat(mask[None], rows, axis=0))


def ours(config: LlamaConfig, frozen: Weights, adapter: Weights) -> tuple[LlamaNetwork, Any]:
    variables = {name: tf.Variable(tf.constant(array)) for name, array in adapter.items()}
    network = LlamaNetwork(config, frozen_tensors(frozen, "float32"), variables)
    positions = tf.constant(np.tile(np.arange(SYMBOLS.shape[1]), (2, 1)))
    return network, lambda: network.hidden(tf.constant(SYMBOLS), positions, causal(*SYMBOLS.shape))


@pytest.mark.parametrize("config", [TINY, UNTIED], ids=["tied", "untied"])
def test_logits_are_those_of_keras_hub(config: LlamaConfig) -> None:
    frozen, adapter = made_frozen(config), made_adapter(config)
    network, hidden = ours(config, frozen, adapter)
    logits = tf.matmul(hidden(), network.head, transpose_b=True).numpy().reshape(2, -1, config.symbols)
    expected = Oracle(config, merged(config, frozen, adapter)).logits().numpy()
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(logits, expected, atol=2e-5)


@pytest.mark.parametrize("config", [TINY, UNTIED], ids=["tied", "untied"])
def test_the_adapters_gradients_are_those_of_keras_hub(config: LlamaConfig) -> None:
    frozen, adapter = made_frozen(config), made_adapter(config)
    network, hidden = ours(config, frozen, adapter)
    labels, weights = (
        tf.constant(TARGETS.ravel(), tf.int32),
        tf.constant(np.linspace(0.5, 1.5, TARGETS.size), tf.float32),
    )
    with tf.GradientTape() as tape:
        loss, _ = summed_cross_entropy(hidden(), network.head, labels, weights, 5)
    found = dict(zip(network.adapter, tape.gradient(loss, list(network.adapter.values())), strict=True))

    oracle = Oracle(config, merged(config, frozen, adapter))
    with tf.GradientTape() as tape:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.reshape(oracle.logits(), (-1, config.symbols)))
        expected_loss = tf.reduce_sum(each * weights)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    layers = range(config.layers)
    gradients = tape.gradient(expected_loss, [kernel.value for layer in layers for kernel in oracle.kernels(layer)])
    for layer in layers:
        query, key, value, out, gate, up, down = (each.numpy() for each in gradients[layer * 7 : layer * 7 + 7])
        of_maps = {
            "attend": np.concatenate([part.reshape(config.width, -1) for part in (query, key, value)], axis=1),
            "attend_out": out.reshape(-1, config.width),
            "expand": np.concatenate([gate, up], axis=1),
            "contract": down,
        }
        for name, gradient in of_maps.items():
            # The chain rule for kernel + scale * a @ b.
            a, b = adapter[f"{layer}.{name}.a"], adapter[f"{layer}.{name}.b"]
            to_a, to_b = config.scale * gradient @ b.T, config.scale * a.T @ gradient
            np.testing.assert_allclose(found[f"{layer}.{name}.a"], to_a, rtol=2e-3, atol=2e-5)
            np.testing.assert_allclose(found[f"{layer}.{name}.b"], to_b, rtol=2e-3, atol=2e-5)


def test_an_adapter_of_rank_0_is_the_pretrained_model() -> None:
    config = LlamaConfig.from_dict(TINY.as_dict() | {"rank": 0})
    frozen = made_frozen(config)
    network, hidden = ours(config, frozen, {})
    logits = tf.matmul(hidden(), network.head, transpose_b=True).numpy().reshape(2, -1, config.symbols)
    np.testing.assert_allclose(logits, Oracle(config, frozen).logits().numpy(), atol=2e-5)
