from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import Cancelled, TooFewPosts
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.weights import first_adapter
from models_app.ml.training.adapters.measuring import bits_per_character
from tests.fakes.posts import make_posts
from tests.ml.conftest import random_checkpoint
from tests.ml.networks.llama.files import taken_into
from tests.models_app import tiny_llama

POSTS = [*make_posts(40, seed=2), "", "é 🎉"]


@pytest.fixture
def fluent(tmp_path: Path) -> Iterator[Checkpoint]:
    found = read_directory(tiny_llama.hugging_face(tmp_path / "tiny"))
    adapter = {name: array + 0.05 for name, array in first_adapter(found.config, 1).items()}
    with taken_into(tmp_path / "pretrained", found):
        yield Checkpoint(found.config, adapter, {}, "")


def test_the_packed_pass_measures_what_single_steps_measure(fluent: Checkpoint) -> None:
    stepped = evaluate(fluent, POSTS).bits_per_character
    assert bits_per_character(fluent, POSTS) == pytest.approx(stepped, rel=5e-3)


def test_it_can_be_ended_and_says_what_it_cannot_measure(fluent: Checkpoint) -> None:
    def cancel() -> None:
        raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        bits_per_character(fluent, POSTS, cancel)
    with pytest.raises(TooFewPosts):
        bits_per_character(fluent, [])
    with pytest.raises(TypeError, match="An adapter needs a Llama"):
        bits_per_character(random_checkpoint(), POSTS)
