from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.errors import LearningError
from models_app.ml.networks.lstm_network import LstmNetwork
from models_app.ml.networks.mixed_matmul import has_fast_bfloat16, product_type
from models_app.ml.networks.processor import PRODUCTS_VARIABLE
from models_app.ml.networks.registry import kind_of, products_per_symbol
from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from models_app.ml.vocabulary import UTF8_BYTES, vocabulary_of
from models_app.ml.vocabulary.utf8_bytes import END

from .conftest import TINY, TINY_HARD, TINY_TOKENS, random_checkpoint

ROWS, STEPS = 3, 9


def built(checkpoint: Checkpoint, products: str = "float32") -> LstmNetwork:
    model: LstmNetwork = kind_of(checkpoint.network).build(checkpoint.network, products)
    model.set_named_weights(checkpoint.weights)
    return model


def random_state(rows: int = ROWS, units: int = TINY.units) -> tuple[Any, Any]:
    rng = np.random.default_rng(9)
    return tuple(tf.constant(rng.normal(0, 0.5, (rows, units)), tf.float32) for _ in range(2))  # type: ignore[return-value]


def plain_lstm(
    symbols: Any, weights: dict[str, Any], state: tuple[Any, Any], hide: Any, gates: str
) -> tuple[Any, tuple[Any, Any]]:
    """The network as in the textbook, for automatic differentiation: symbols (B, T) to logits (T, B, 256).

    hide, (T, H, B) or None, multiplies the outputs.
    """
    h, c = state
    gate = tf.sigmoid if gates == "sigmoid" else lambda x: tf.clip_by_value(0.2 * x + 0.5, 0, 1)
    logits = []
    for step in range(symbols.shape[1]):
        keep = tf.cast(symbols[:, step] != END, tf.float32)[:, None]
        h, c = h * keep, c * keep
        x = tf.gather(weights["embedding"], tf.cast(symbols[:, step], tf.int32))
        i, f, g, o = tf.split(x @ weights["kernel"] + h @ weights["recurrent"] + weights["bias"], 4, axis=1)
        c = gate(f) * c + gate(i) * tf.tanh(g)
        h = gate(o) * tf.tanh(c)
        shown = h if hide is None else h * tf.transpose(hide[step])
        logits.append(shown @ weights["output_kernel"] + weights["output_bias"])
    return tf.stack(logits), (h, c)


@pytest.fixture
def symbols() -> np.ndarray[Any, np.dtype[np.uint8]]:
    rng = np.random.default_rng(4)
    drawn = rng.integers(0, 255, (ROWS, STEPS)).astype(np.uint8)
    drawn[0, 4] = drawn[1, 0] = drawn[2, 8] = END
    return drawn


def test_the_forward_pass_equals_keras_own_lstm(checkpoint: Checkpoint) -> None:
    symbols = np.random.default_rng(1).integers(0, 255, (ROWS, STEPS)).astype(np.uint8)
    state = random_state()
    layer = keras.layers.LSTM(TINY.units, return_sequences=True, return_state=True)
    weights = checkpoint.weights
    embedded = tf.gather(weights["embedding"], symbols.astype(np.int32))
    layer.build(embedded.shape)
    layer.set_weights([weights["kernel"], weights["recurrent"], weights["bias"]])
    outputs, h, c = layer(embedded, initial_state=state)
    expected = outputs @ weights["output_kernel"] + weights["output_bias"]
    logits, (our_h, our_c) = built(checkpoint)(tf.constant(symbols), state)
    np.testing.assert_allclose(tf.transpose(logits, (1, 0, 2)), expected, atol=2e-5)
    np.testing.assert_allclose(our_h, h, atol=1e-5)
    np.testing.assert_allclose(our_c, c, atol=1e-5)


@pytest.mark.parametrize("network", [TINY, TINY_HARD], ids=["sigmoid", "hard sigmoid"])
def test_the_forward_pass_equals_the_numpy_step(network: NetworkConfig) -> None:
    checkpoint = random_checkpoint(network)
    post = UTF8_BYTES.encode("Hé 👋")
    symbols = np.concatenate([[END], post]).astype(np.uint8)
    assert len(symbols) == 9
    logits, _ = built(checkpoint)(tf.constant(symbols[None]), built(checkpoint).zero_state(1))
    stepper = kind_of(network).stepper(network, checkpoint.weights)
    state = stepper.start(1)
    for step, symbol in enumerate(symbols):
        ours, state = stepper.step(np.array([symbol]), state)
        np.testing.assert_allclose(ours[0], logits[step, 0], atol=2e-5)


@pytest.mark.parametrize("network", [TINY, TINY_HARD], ids=["sigmoid", "hard sigmoid"])
@pytest.mark.parametrize("is_hiding", [False, True])
def test_gradients_equal_automatic_differentiation(network: NetworkConfig, symbols: Any, is_hiding: bool) -> None:
    checkpoint = random_checkpoint(network)
    model = built(checkpoint)
    state = random_state()
    plain: dict[str, Any] = {name: tf.Variable(tf.constant(array)) for name, array in checkpoint.weights.items()}
    # Random directions, so that each of the logits and both parts of the state count.
    rng = np.random.default_rng(2)
    toward = tf.constant(rng.normal(size=(STEPS, ROWS, 256)), tf.float32)
    onward = tf.constant(rng.normal(size=(2, ROWS, TINY.units)), tf.float32)
    hide = tf.constant(rng.integers(0, 2, model.dropout_mask_shape(ROWS, STEPS)) * 2, tf.float32) if is_hiding else None

    def loss(logits: Any, after: tuple[Any, Any]) -> Any:
        return tf.reduce_sum(logits * toward) + tf.reduce_sum(tf.stack(after) * onward)

    with tf.GradientTape() as tape:
        tape.watch(state)
        ours = loss(*model(tf.constant(symbols), state, hide))
    our_gradients = tape.gradient(ours, [*model.trainable_variables, *state])
    with tf.GradientTape() as tape:
        tape.watch(state)
        theirs = loss(*plain_lstm(tf.constant(symbols), plain, state, hide, network.gates))
    names = [variable.name for variable in model.trainable_variables]
    their_gradients = tape.gradient(theirs, [*(plain[name] for name in names), *state])

    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for name, our, their in zip([*names, "h", "c"], our_gradients, their_gradients, strict=True):
        their = tf.convert_to_tensor(their)
        np.testing.assert_allclose(our, their, rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_reset_in_mid_window_equals_separate_posts(checkpoint: Checkpoint) -> None:
    model = built(checkpoint)
    first, second = UTF8_BYTES.encode("one post"), UTF8_BYTES.encode("and another")
    marks = [np.array([END], np.uint8)] * 2
    joined, _ = model(
        tf.constant(np.concatenate([marks[0], first, marks[1], second])[None]), random_state(1, TINY.units)
    )
    alone = [
        model(tf.constant(np.concatenate([marks[0], post])[None]), model.zero_state(1))[0] for post in (first, second)
    ]
    np.testing.assert_allclose(joined, tf.concat(alone, axis=0), atol=1e-5)


def test_the_state_is_carried_from_window_to_window(checkpoint: Checkpoint, symbols: Any) -> None:
    model = built(checkpoint)
    whole, _ = model(tf.constant(symbols), random_state())
    first, state = model(tf.constant(symbols[:, :5]), random_state())
    second, _ = model(tf.constant(symbols[:, 5:]), state)
    np.testing.assert_allclose(whole, tf.concat([first, second], axis=0), atol=1e-5)


def test_bfloat16_products_change_loss_and_gradients_only_slightly() -> None:
    network = NetworkConfig(embedding=16, units=64)
    checkpoint = random_checkpoint(network, scale=0.1)
    symbols = np.random.default_rng(5).integers(0, 256, (16, 33)).astype(np.uint8)
    losses, gradients = [], []
    for products in ("float32", "bfloat16"):
        model = built(checkpoint, products)
        with tf.GradientTape() as tape:
            logits, _ = model(tf.constant(symbols[:, :-1]), model.zero_state(16))
            labels = tf.transpose(tf.cast(symbols[:, 1:], tf.int32))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        losses.append(float(loss))
        found: Any = tape.gradient(loss, model.trainable_variables)
        gradients.append(np.concatenate([np.ravel(gradient) for gradient in found]))
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)
    cosine = gradients[0] @ gradients[1] / np.linalg.norm(gradients[0]) / np.linalg.norm(gradients[1])
    assert cosine > 0.999


def test_two_halves_learn_what_one_batch_would() -> None:
    """With 8 rows, a step runs in two halves. The result equals a plain step on all rows."""
    rng = np.random.default_rng(3)
    inputs = rng.integers(0, 256, (8, 6)).astype(np.uint8)
    targets = rng.integers(0, 256, (8, 6)).astype(np.uint8)
    weights = (rng.random((8, 6)) < 0.8).astype(np.float32)
    start = random_checkpoint()
    learner = Learner(TINY, start.weights, beta_2=0.99, clip_norm=1.0, products="float32")
    learner.reset(8)
    loss, count = learner.train(Batch(inputs, targets, weights), learning_rate=0.01)
    assert count == weights.sum()

    model = built(start)
    optimizer = keras.optimizers.Adam(0.01, beta_2=0.99, global_clipnorm=1.0)
    with tf.GradientTape() as tape:
        logits, _ = model(tf.constant(inputs), model.zero_state(8))
        labels = tf.transpose(tf.cast(targets, tf.int32))
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        total = tf.reduce_sum(each * weights.T)
        mean = total / weights.size
    optimizer.apply(tape.gradient(mean, model.trainable_variables), model.trainable_variables)
    assert loss == pytest.approx(float(total), rel=1e-5)
    for name, array in learner.weights().items():
        np.testing.assert_allclose(array, model.named_weights()[name], atol=1e-4, err_msg=name)


def test_dropout_is_drawn_from_its_seed_alone() -> None:
    symbols = np.random.default_rng(3).integers(0, 256, (8, 7)).astype(np.uint8)
    batch = Batch(symbols[:, :-1], symbols[:, 1:], np.ones((8, 6), np.float32))

    learner = Learner(TINY, random_checkpoint().weights, beta_2=0.99, clip_norm=1.0, dropout=0.5, products="float32")
    learner.reset(8)
    start = learner.snapshot()

    def loss(*seed: int) -> float:
        learner.restore(start)
        return learner.train(batch, learning_rate=0.01, seed=(seed[0], seed[1]))[0]

    assert loss(1, 2) == loss(1, 2)
    assert len({loss(1, 2), loss(1, 3), loss(2, 2)}) == 3


def test_the_type_of_products_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product_type("bfloat16") == "bfloat16"
    monkeypatch.setenv(PRODUCTS_VARIABLE, "float32")
    assert product_type() == "float32"
    monkeypatch.setenv(PRODUCTS_VARIABLE, "auto")
    assert product_type() in ("float32", "bfloat16")
    monkeypatch.setenv(PRODUCTS_VARIABLE, "float16")
    with pytest.raises(LearningError, match="must be auto, bfloat16 or float32"):
        product_type()


@pytest.mark.parametrize(
    ("vendor", "flags", "is_fast"),
    [
        ("AuthenticAMD", "avx2 avx512f avx512_bf16", True),
        ("GenuineIntel", "avx512f avx512_bf16 amx_bf16 amx_tile", True),
        ("GenuineIntel", "avx512f avx512_bf16 avx512_fp16", False),
        ("AuthenticAMD", "avx2 avx512f", False),
        ("GenuineIntel", "avx2", False),
    ],
)
def test_products_are_in_bfloat16_where_that_is_the_faster_one(vendor: str, flags: str, *, is_fast: bool) -> None:
    described = f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: Some processor\nflags\t\t: fpu {flags}\n\n"
    assert has_fast_bfloat16(described * 2) is is_fast


def test_first_weights_fit_the_network_and_depend_on_the_seed() -> None:
    kind = kind_of(TINY)
    weights = kind.first_weights(TINY, 1)
    assert {name: array.shape for name, array in weights.items()} == kind.weight_shapes(TINY)
    assert all(array.dtype == np.float32 for array in weights.values())
    np.testing.assert_allclose(weights["recurrent"] @ weights["recurrent"].T, np.eye(TINY.units), atol=1e-5)
    assert (weights["kernel"] != kind.first_weights(TINY, 2)["kernel"]).any()


def test_products_are_those_with_weights_that_are_not_looked_up() -> None:
    bare = NetworkConfig(kind="glr", embedding=4, units=8, layers=2)
    assert products_per_symbol(bare) == 4 * 8 + 2 * (8 * 24 + 8 * 8) + 8 * 256
    contexts = replace(bare, contexts=(2, 3), context_rows=64, context_width=3)
    assert products_per_symbol(contexts) == products_per_symbol(bare) + 2 * 3 * 8
    tied = replace(TINY_TOKENS, contexts=(), context_rows=0, context_width=0)
    size, embedding, units = vocabulary_of(tied).size, tied.embedding, tied.units
    layers = tied.layers * 4 * units * units
    assert products_per_symbol(tied) == embedding * units + layers + units * embedding + embedding * size
    assert products_per_symbol(NetworkConfig(embedding=4, units=8)) == 4 * 32 + 8 * 32 + 8 * 256
