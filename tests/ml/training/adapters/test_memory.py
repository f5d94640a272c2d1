from __future__ import annotations

import math

import pytest

from benchmarks.sizes import config_of
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.weights import frozen_shapes
from models_app.ml.training.adapters.memory import (
    bytes_to_learn,
    bytes_to_train,
    bytes_to_write,
    products_per_symbol,
)
from tests.ml.networks.llama.conftest import TINY

#: Bytes that a process held at its peak by `benchmarks.sizes`, on an EPYC with bfloat16: training, and writing, too.
MEASURED = {
    "smollm2-135m": (1.60e9, 1.64e9),
    "smollm2-360m": (2.46e9, 2.83e9),
    "granite-4.0-350m": (2.51e9, 2.94e9),
    "qwen3-0.6b": (3.75e9, 4.47e9),
    "qwen3-1.7b": (7.22e9, 8.88e9),
}


@pytest.mark.parametrize("name", MEASURED)
def test_what_a_training_takes_is_what_was_measured(name: str) -> None:
    learning, together = MEASURED[name]
    config = config_of(name)
    assert bytes_to_train(config) == pytest.approx(together, rel=0.1)
    assert bytes_to_train(config) - products_per_symbol(config) * 1.125 == pytest.approx(learning, rel=0.1)


def test_a_larger_step_keeps_more_for_the_way_back_but_no_more_logits_at_once() -> None:
    config = config_of("smollm2-135m")
    one, two, four = (bytes_to_learn(config, rows=rows) for rows in (2, 4, 8))
    assert four - two == 2 * (two - one) > 0
    wide = LlamaConfig.from_dict(config.as_dict() | {"symbols": 2 * config.symbols})
    more = [bytes_to_learn(wide, rows=rows) - bytes_to_learn(config, rows=rows) for rows in (2, 8)]
    assert more[0] == more[1] > 2 * config.symbols * config.width


def test_products_are_those_of_all_matrices_and_of_the_output() -> None:
    for tied in (True, False):
        config = LlamaConfig.from_dict(TINY.as_dict() | {"tied": tied})
        matrices = {name: math.prod(shape) for name, shape in frozen_shapes(config).items() if len(shape) == 2}
        looked_up = 0 if tied else matrices["embedding"]
        assert products_per_symbol(config) == sum(matrices.values()) - looked_up
    assert bytes_to_write(config_of("smollm2-360m")) > bytes_to_write(config_of("smollm2-135m"))
