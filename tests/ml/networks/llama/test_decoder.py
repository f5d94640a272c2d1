from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.networks.llama.decoder import PLACES, LlamaDecoder
from models_app.ml.networks.llama.network import LlamaNetwork, frozen_tensors
from models_app.ml.networks.llama.stepper import LlamaStepper

from .conftest import TINY, made_adapter
from .test_keras_hub import causal

Weights = dict[str, NDArray[Any]]


@pytest.fixture
def network(frozen: Weights, adapter: Weights) -> LlamaNetwork:
    tensors = {name: tf.constant(array) for name, array in adapter.items()}
    return LlamaNetwork(TINY, frozen_tensors(frozen, "float32"), tensors)


@pytest.fixture
def shared(frozen: Weights) -> LlamaDecoder:
    return LlamaDecoder(TINY, frozen, exact=True)


@pytest.fixture
def decoder(shared: LlamaDecoder, adapter: Weights) -> LlamaStepper[Any]:
    return LlamaStepper(shared, adapter)


def texts(rows: int, length: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, TINY.symbols, (rows, length))


def whole(network: LlamaNetwork, symbols: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the logits (B, T, V) of a pass over whole texts."""
    rows, length = symbols.shape
    positions = tf.constant(np.tile(np.arange(length), (rows, 1)))
    hidden = network.hidden(tf.constant(symbols), positions, causal(rows, length))
    found: NDArray[np.float32] = tf.matmul(hidden, network.head, transpose_b=True).numpy()
    return found.reshape(rows, length, -1)


def test_steps_give_the_logits_of_a_pass_over_the_whole_text(network: LlamaNetwork, decoder: LlamaStepper[Any]) -> None:
    symbols = texts(3, 9)
    expected, state = whole(network, symbols), decoder.start(3)
    for place in range(9):
        logits, state = decoder.step(symbols[:, place], state)
        np.testing.assert_allclose(logits, expected[:, place], atol=1e-4)


def test_a_text_read_at_once_goes_on_as_if_read_step_by_step(network: LlamaNetwork, decoder: LlamaStepper[Any]) -> None:
    symbols = texts(2, 12)
    logits, state = decoder.read(symbols[:, :7], decoder.start(2))
    expected = whole(network, symbols)
    np.testing.assert_allclose(logits, expected[:, 6], atol=1e-4)
    logits, state = decoder.read(symbols[:, 7:11], state)
    logits, state = decoder.step(symbols[:, 11], state)
    np.testing.assert_allclose(logits, expected[:, 11], atol=1e-4)


def test_rows_that_are_picked_go_on_alone(network: LlamaNetwork, decoder: LlamaStepper[Any]) -> None:
    symbols = texts(5, 6)
    _, state = decoder.read(symbols[:, :4], decoder.start(5))
    # Most of a cache, which stays; then few of it, which move.
    for place, rows in ((4, [4, 0, 2]), (5, [1])):
        state, symbols = state.pick(np.array(rows)), symbols[rows]
        logits, state = decoder.step(symbols[:, place], state)
        np.testing.assert_allclose(logits, whole(network, symbols)[:, place], atol=1e-4)


def test_a_row_that_is_repeated_goes_on_in_several_ways(network: LlamaNetwork, decoder: LlamaStepper[Any]) -> None:
    prompt = texts(1, 5)
    _, state = decoder.read(prompt, decoder.start(1))
    state = state.pick(np.zeros(3, np.intp))
    following = np.array([7, 8, 9])
    logits, _ = decoder.step(following, state)
    symbols = np.concatenate([np.repeat(prompt, 3, axis=0), following[:, None]], axis=1)
    np.testing.assert_allclose(logits, whole(network, symbols)[:, 5], atol=1e-4)


def test_a_text_can_be_longer_than_the_first_cache(network: LlamaNetwork, decoder: LlamaStepper[Any]) -> None:
    symbols = texts(2, PLACES + 3)
    _, state = decoder.read(symbols[:, : PLACES - 1], decoder.start(2))
    for place in range(PLACES - 1, PLACES + 3):
        logits, state = decoder.step(symbols[:, place], state)
    np.testing.assert_allclose(logits, whole(network, symbols)[:, -1], atol=1e-4)


def test_bots_share_a_graph_and_write_with_their_own_adapters(
    shared: LlamaDecoder, frozen: Weights, adapter: Weights
) -> None:
    other = made_adapter(TINY, seed=2)
    steppers = [LlamaStepper(shared, each) for each in (adapter, other)]
    symbols = texts(2, 5)
    results = [stepper.read(symbols, stepper.start(2))[0] for stepper in steppers]
    for result, weights in zip(results, (adapter, other), strict=True):
        tensors = {name: tf.constant(array) for name, array in weights.items()}
        network = LlamaNetwork(TINY, frozen_tensors(frozen, "float32"), tensors)
        np.testing.assert_allclose(result, whole(network, symbols)[:, -1], atol=1e-4)


def test_a_step_uses_the_adapter_of_the_bot_that_takes_it(shared: LlamaDecoder, adapter: Weights) -> None:
    one: LlamaStepper[Any] = LlamaStepper(shared, adapter)
    other: LlamaStepper[Any] = LlamaStepper(shared, made_adapter(TINY, seed=2))
    prompt, following = texts(1, 5), np.array([7])
    found = [stepper.step(following, one.read(prompt, one.start(1))[1])[0] for stepper in (one, other)]
    assert np.abs(found[0] - found[1]).max() > 0.1
