"""Byte networks do the same as before vocabularies became objects.

tests/data/before_vocabularies.json contains what the code of commit 4ac4070 wrote and measured. Only the posts drawn
with a top-k alone are younger: they depended on the CPU.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig, SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.training.dataset import Batch, StreamPacker, epoch_batches
from models_app.ml.vocabulary import UTF8_BYTES

from .conftest import TINY, TINY_GLR, random_checkpoint

BEFORE = json.loads((Path(__file__).parents[1] / "data" / "before_vocabularies.json").read_text())
NETWORKS = pytest.mark.parametrize(("name", "network"), [("lstm", TINY), ("glr", TINY_GLR)])
POSTS = [f"post {number} é😀" * (number % 4 + 1) for number in range(23)]


def model(network: NetworkConfig) -> Checkpoint:
    checkpoint = random_checkpoint(network, seed=3, scale=0.7)
    checkpoint.weights["output_bias"][UTF8_BYTES.end] += 4  # so that posts end
    return checkpoint


@NETWORKS
def test_the_same_seeds_write_the_same_posts(name: str, network: NetworkConfig) -> None:
    sampler = Sampler(model(network))
    # The words of a prompt are whole now.
    before = [each for each in BEFORE["networks"][name]["writings"] if not each["asked"].get("prompt")]
    assert len(before) == 6
    for each in before:
        # Names weren't kept out of what is drawn.
        now = sampler.generate(SamplingConfig.from_dict(each["asked"] | {"mask_mentions": False}))
        refused = now.refused.as_dict()
        # A draft that replaces a rejected one has its place now; before, it came after the others.
        assert sorted(now.posts) == sorted(each["posts"])
        # Later reasons to refuse a post don't occur here.
        assert {name: refused.pop(name) for name in each["refused"]} == each["refused"]
        assert not any(refused.values())


@NETWORKS
def test_posts_have_the_same_bits(name: str, network: NetworkConfig) -> None:
    evaluation = evaluate(model(network), BEFORE["evaluated"])
    before = BEFORE["networks"][name]
    assert evaluation.bits_per_character == pytest.approx(before["bits"], rel=1e-5)
    parts = {part: measured.bits_per_character for part, measured in evaluation.parts.items()}
    assert parts == pytest.approx(before["parts"], rel=1e-5)


def digest(batches: Iterable[Batch]) -> str:
    found = hashlib.sha256()
    for batch in batches:
        for array in (batch.inputs, batch.targets, batch.weights):
            found.update(array.tobytes())
    return found.hexdigest()


def test_an_epoch_has_the_same_batches() -> None:
    posts = [UTF8_BYTES.encode(post) for post in POSTS]
    _, batches = epoch_batches(posts, vocabulary=UTF8_BYTES, batch_size=4, sequence_length=16, seed=5, epoch=2)
    assert digest(batches) == "5cee220012cb5bc246a1b5922817f40b527ee6c0204992bc1c1ac2d3dc6aca74"


def test_a_stream_has_the_same_batches_and_continues_from_a_position_of_before(tmp_path: Path) -> None:
    path = tmp_path / "posts.txt"
    path.write_text("\n".join(POSTS))
    arguments: dict[str, Any] = {"batch_size": 3, "sequence_length": 8, "seed": 5, "shuffle_posts": 10}
    stream = StreamPacker([path], vocabulary=UTF8_BYTES, **arguments)
    assert digest(islice(stream, 9)) == "c4f08fd6e417d7db1f0ee8e53ffee0628fd300e7869c4fa43d56b788d8badf11"
    position = {
        "pass": 0,
        "chunk": 0,
        "offset": 7,
        "rows": ["3020c3a9f09f9880ff", "20c3a9f09f9880ff", "20c3a9f09f9880ff"],
        "last": [32, 50, 51],
    }
    assert stream.position() == position
    resumed = StreamPacker([path], vocabulary=UTF8_BYTES, **arguments, position=position)
    assert digest(islice(resumed, 5)) == digest(islice(stream, 5))
