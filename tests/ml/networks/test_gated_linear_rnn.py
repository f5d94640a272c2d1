from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.config import NETWORKS, NetworkConfig
from models_app.ml.networks.registry import kind_of
from models_app.ml.networks.states import Arrays
from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from models_app.ml.vocabulary import vocabulary_of
from tests.ml.conftest import TINY_TOKENS, random_checkpoint

ROWS, STEPS = 3, 9
NETWORK = NetworkConfig(
    kind="glr", embedding=5, units=8, layers=2, contexts=(2, 3, 4, 6, 0), context_rows=64, context_width=3
)
BARE = NetworkConfig(kind="glr", embedding=5, units=8, layers=3)


@pytest.fixture(params=[NETWORK, BARE, TINY_TOKENS], ids=["contexts", "bare", "tokens"])
def network(request: pytest.FixtureRequest) -> NetworkConfig:
    config: NetworkConfig = request.param
    return config


@pytest.fixture
def symbols(network: NetworkConfig) -> Any:
    vocabulary = vocabulary_of(network)
    drawn = np.random.default_rng(4).integers(0, vocabulary.size, (ROWS, STEPS)).astype(vocabulary.dtype)
    drawn[0, 4] = drawn[1, 0] = drawn[2, 8] = vocabulary.end
    drawn[0, 6] = 0x20
    return drawn


def built(network: NetworkConfig, products: str = "float32") -> Any:
    model = kind_of(network).build(network, products)
    model.set_named_weights(random_checkpoint(network).weights)
    return model


def before(model: Any) -> tuple[Any, ...]:
    """A state in the middle of a post."""
    rng = np.random.default_rng(9)
    *parts, keys = model.zero_state(ROWS)
    return (*(tf.constant(rng.normal(0, 0.5, part.shape), tf.float32) for part in parts), keys)


def plain(network: NetworkConfig, weights: dict[str, Any], symbols: Any, state: tuple[Any, ...]) -> Any:
    """The formulas of the module's docstring, step by step, for automatic differentiation: logits (T, B, size)."""
    h, end = network.units, vocabulary_of(network).end
    *cells, keys = state
    embedding, output = weights["embedding"], weights["output_kernel"]
    steps = [tf.gather(embedding, tf.cast(symbols, tf.int32))]
    if network.tied:
        steps, output = [steps[0] * network.embedding**0.5], output @ tf.transpose(embedding)
    steps += [
        tf.gather(weights[f"context_{place}_embedding"], context_rows(network, order, symbols))
        for place, order in enumerate(network.contexts)
    ]
    inputs, logits = tf.concat(steps, axis=-1), []

    def normed(x: Any, scale: Any) -> Any:
        return x / tf.sqrt(tf.reduce_mean(x * x, axis=1, keepdims=True) + 1e-6) * scale

    for step in range(symbols.shape[1]):
        keep = tf.cast(symbols[:, step] != end, tf.float32)[:, None]
        x = inputs[:, step] @ weights["input_kernel"]
        for layer in range(network.layers):
            z = normed(x, weights[f"layer_{layer}_scale"]) @ weights[f"layer_{layer}_kernel"]
            z += weights[f"layer_{layer}_bias"]
            u, f, o = z[:, :h], tf.sigmoid(z[:, h : 2 * h]), tf.sigmoid(z[:, 2 * h :])
            cells[layer] = f * (cells[layer] * keep) + (1 - f) * u
            c = cells[layer]
            x += (c * tf.sigmoid(c) * o) @ weights[f"layer_{layer}_projection"]
        logits.append(normed(x, weights["output_scale"]) @ output + weights["output_bias"])
    return tf.stack(logits), (*cells, keys)


def context_rows(network: NetworkConfig, order: int, symbols: Any) -> Any:
    """Return the rows of one context, computed from the text with Python integers, without a running key."""
    rows = np.empty(symbols.shape, np.int32)
    vocabulary = vocabulary_of(network)
    end, bits = vocabulary.end, (vocabulary.size - 1).bit_length()
    for row, text in enumerate(symbols.tolist()):
        for step in range(len(text)):
            post = text[: step + 1]
            if end in post:
                post = post[len(post) - post[::-1].index(end) :]
            if order:
                key = sum(
                    symbol << bits * place for place, symbol in enumerate([*[end] * order, *post][: -order - 1 : -1])
                )
            else:
                key = 0
                for symbol in post:
                    key = 0 if symbol in (0x20, 0x0A) else (key * 0x01000193 + symbol + 1) % 2**31
            rows[row, step] = hashed(key) * network.context_rows >> 32
    return rows


def hashed(key: int) -> int:
    """The 32 bits of a key that choose a row."""
    return (key % 2**24 * 0x61C88647 + (key >> 24) * 0x2545F491) % 2**32


def test_the_forward_pass_equals_the_formulas(network: NetworkConfig, symbols: Any) -> None:
    model = built(network)
    state = before(model)
    logits, after = model(tf.constant(symbols), state)
    weights = {name: tf.constant(array) for name, array in random_checkpoint(network).weights.items()}
    expected, cells = plain(network, weights, symbols, state)
    np.testing.assert_allclose(logits, expected, atol=2e-5)
    for ours, theirs in zip(after[:-1], cells[:-1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_forward_pass_equals_the_numpy_step(network: NetworkConfig, symbols: Any) -> None:
    model = built(network)
    logits, after = model(tf.constant(symbols), model.zero_state(ROWS))
    stepper = kind_of(network).stepper(network, random_checkpoint(network).weights)
    state = stepper.start(ROWS)
    ours = []
    for step in range(STEPS):
        written, state = stepper.step(symbols[:, step], state)
        ours.append(written)
    np.testing.assert_allclose(ours, logits, atol=3e-5)
    assert isinstance(state, Arrays)
    for mine, theirs in zip(state, after, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_gradients_equal_automatic_differentiation(network: NetworkConfig, symbols: Any) -> None:
    model = built(network)
    state = before(model)
    weights: dict[str, Any] = {
        name: tf.Variable(tf.constant(array)) for name, array in random_checkpoint(network).weights.items()
    }
    rng = np.random.default_rng(2)
    toward = tf.constant(rng.normal(size=(STEPS, ROWS, vocabulary_of(network).size)), tf.float32)
    onward = tf.constant(rng.normal(size=(network.layers, ROWS, network.units)), tf.float32)

    def loss(logits: Any, after: tuple[Any, ...]) -> Any:
        return tf.reduce_sum(logits * toward) + tf.reduce_sum(tf.stack(after[:-1]) * onward)

    with tf.GradientTape() as tape:
        tape.watch(state[:-1])
        ours = loss(*model(tf.constant(symbols), state))
    our_gradients = tape.gradient(ours, [*model.trainable_variables, *state[:-1]])
    with tf.GradientTape() as tape:
        tape.watch(state[:-1])
        theirs = loss(*plain(network, weights, symbols, state))
    names = [variable.name for variable in model.trainable_variables]
    their_gradients = tape.gradient(theirs, [*(weights[name] for name in names), *state[:-1]])

    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    states = [f"c{layer}" for layer in range(network.layers)]
    for name, our, their in zip([*names, *states], our_gradients, their_gradients, strict=True):
        our, their = tf.convert_to_tensor(our), tf.convert_to_tensor(their)
        np.testing.assert_allclose(our, their, rtol=1e-3, atol=2e-4, err_msg=name)


def test_a_reset_in_mid_window_equals_separate_posts(network: NetworkConfig) -> None:
    model = built(network)
    vocabulary = vocabulary_of(network)
    first, second = vocabulary.encode("one post"), vocabulary.encode("and another")
    mark = np.array([vocabulary.end], vocabulary.dtype)
    *parts, keys = model.zero_state(1)
    dirty = (*(part + 0.3 for part in parts), keys)
    joined, _ = model(tf.constant(np.concatenate([mark, first, mark, second])[None]), dirty)
    alone = [model(tf.constant(np.concatenate([mark, post])[None]), model.zero_state(1))[0] for post in (first, second)]
    np.testing.assert_allclose(joined, tf.concat(alone, axis=0), atol=1e-5)


def test_the_state_is_carried_from_window_to_window(network: NetworkConfig, symbols: Any) -> None:
    model = built(network)
    whole, _ = model(tf.constant(symbols), before(model))
    first, state = model(tf.constant(symbols[:, :5]), before(model))
    second, _ = model(tf.constant(symbols[:, 5:]), state)
    np.testing.assert_allclose(whole, tf.concat([first, second], axis=0), atol=1e-5)


def test_bfloat16_products_change_loss_and_gradients_only_slightly() -> None:
    network = NetworkConfig(
        kind="glr", embedding=16, units=64, layers=2, contexts=(2, 0), context_rows=256, context_width=8
    )
    weights = kind_of(network).first_weights(network, 3)
    symbols = np.random.default_rng(5).integers(0, 256, (16, 33)).astype(np.uint8)
    losses, gradients = [], []
    for products in ("float32", "bfloat16"):
        model = kind_of(network).build(network, products)
        model.set_named_weights(weights)
        with tf.GradientTape() as tape:
            logits, _ = model(tf.constant(symbols[:, :-1]), model.zero_state(16))
            labels = tf.transpose(tf.cast(symbols[:, 1:], tf.int32))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        losses.append(float(loss))
        found: Any = tape.gradient(loss, model.trainable_variables)
        gradients.append(np.concatenate([np.ravel(tf.convert_to_tensor(gradient)) for gradient in found]))
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)
    cosine = gradients[0] @ gradients[1] / np.linalg.norm(gradients[0]) / np.linalg.norm(gradients[1])
    assert cosine > 0.999


def test_it_learns_in_halves_and_goes_on_from_a_snapshot(network: NetworkConfig) -> None:
    """With 8 rows, a step runs in two halves. The result equals a plain step on all rows, also after a restore."""
    rng, vocabulary = np.random.default_rng(3), vocabulary_of(network)
    batch = Batch(
        rng.integers(0, vocabulary.size, (8, 6)).astype(vocabulary.dtype),
        rng.integers(0, vocabulary.size, (8, 6)).astype(vocabulary.dtype),
        (rng.random((8, 6)) < 0.8).astype(np.float32),
    )
    start = random_checkpoint(network)
    learner = Learner(network, start.weights, beta_2=0.99, clip_norm=1.0, products="float32")
    learner.reset(8)
    learner.restore(learner.snapshot())
    loss, _ = learner.train(batch, learning_rate=0.01)

    model = built(network)
    optimizer = keras.optimizers.Adam(0.01, beta_2=0.99, global_clipnorm=1.0)
    with tf.GradientTape() as tape:
        logits, _ = model(tf.constant(batch.inputs), model.zero_state(8))
        labels = tf.transpose(tf.cast(batch.targets, tf.int32))
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        total = tf.reduce_sum(each * batch.weights.T)
        mean = total / batch.weights.size
    gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(mean, model.trainable_variables)]
    optimizer.apply(gradients, model.trainable_variables)
    assert loss == pytest.approx(float(total), rel=1e-5)
    for name, array in learner.weights().items():
        np.testing.assert_allclose(array, model.named_weights()[name], atol=2e-4, err_msg=name)


def test_a_network_of_tokens_has_the_size_of_that_of_bytes() -> None:
    tokens = NETWORKS["glr"].of_tokens(TINY_TOKENS.vocabulary)
    assert (tokens.units, tokens.layers, tokens.embedding, tokens.tied) == (512, 2, 256, True)
    weights = kind_of(tokens).first_weights(tokens, 1)
    assert {name: array.shape for name, array in weights.items()} == kind_of(tokens).weight_shapes(tokens)
    assert weights["output_kernel"].shape == (512, 256)
    # What is read has values of about 1, and what is written isn't larger than what an untied network writes.
    assert weights["embedding"].std() * 16 == pytest.approx(1, rel=0.02)
    forget = weights["layer_0_bias"][512:1024]
    assert (forget[0], forget[-1]) == (-1, 3)
    # Fewer tables have about as many numbers in all: this is the network that is shipped.
    assert (tokens.contexts, tokens.context_rows, tokens.context_width) == ((2, 3), 2**16, 32)
    assert tokens.of_tokens(TINY_TOKENS.vocabulary) == tokens
    assert BARE.of_tokens(TINY_TOKENS.vocabulary).contexts == ()
    with pytest.raises(ValueError, match="glr"):
        NETWORKS["lstm"].of_tokens(TINY_TOKENS.vocabulary)


def test_first_weights_fit_the_network_and_depend_on_the_seed() -> None:
    config = NETWORKS["glr"]
    kind = kind_of(config)
    weights = kind.first_weights(config, 1)
    assert {name: array.shape for name, array in weights.items()} == kind.weight_shapes(config)
    assert all(array.dtype == np.float32 for array in weights.values())
    assert (weights["layer_0_kernel"] != kind.first_weights(config, 2)["layer_0_kernel"]).any()
    forget = weights["layer_0_bias"][config.units : 2 * config.units]
    assert (forget[0], forget[-1]) == (0, 4)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"layers": 0}, "layers"),
        ({"contexts": [7], "context_rows": 64, "context_width": 3}, "context"),
        ({"contexts": [2, 2], "context_rows": 64, "context_width": 3}, "once"),
        ({"contexts": [2], "context_rows": 60, "context_width": 3}, "power of two"),
        ({"contexts": [2]}, "context_rows"),
        ({"context_rows": 64}, "context_rows"),
        ({"contexts": 2}, "list"),
        ({"kind": "lstm", "layers": 2}, "layers"),
        ({"tied": True}, "tokens"),
        ({"tied": 1, "vocabulary": TINY_TOKENS.vocabulary}, "tied"),
        ({"vocabulary": TINY_TOKENS.vocabulary, "contexts": [0], "context_rows": 64, "context_width": 3}, "context"),
        ({"vocabulary": TINY_TOKENS.vocabulary, "contexts": [4], "context_rows": 64, "context_width": 3}, "context"),
        ({"kind": "lstm", "contexts": [2], "context_rows": 64, "context_width": 3}, "lstm"),
    ],
)
def test_networks_that_cannot_be_are_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        NetworkConfig.from_dict({"kind": "glr"} | values)


def test_a_network_comes_back_from_json(network: NetworkConfig) -> None:
    values = network.as_dict()
    assert isinstance(values["contexts"], list)
    assert NetworkConfig.from_dict(values) == network
