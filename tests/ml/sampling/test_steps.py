"""Requests that share passes over the weights, as in the writer, write exactly what each writes alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig, SamplingConfig
from models_app.ml.errors import BadSampling
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import Drawing, Sampler, Step

#: With one row, few, many, a prompt, only the most probable symbols: cases that are multiplied differently.
REQUESTS = [
    SamplingConfig(count=5, seed=1),
    SamplingConfig(count=1, seed=2, prompt="Día 1: ☕️ "),
    SamplingConfig(count=10, seed=3, temperature=0.7, top_k=40),
    SamplingConfig(count=3, temperature=0.0),
    SamplingConfig(count=4, seed=4, top_p=0.8, max_characters=120, banned=("the",)),
    SamplingConfig(count=5, seed=1),
]


def together(sampler: Sampler, requests: list[SamplingConfig], guard: CopyGuard | None) -> list[Writing]:
    """Return what each writes when all that are still writing take each step together."""
    drawings = [sampler.draw(request, guard=guard) for request in requests]
    waiting: list[tuple[int, Drawing, Step]] = [(place, each, next(each)) for place, each in enumerate(drawings)]
    written: dict[int, Writing] = {}
    while waiting:
        results = sampler.steps([step for _, _, step in waiting])
        going_on = []
        for (place, drawing, _), result in zip(waiting, results, strict=True):
            try:
                going_on.append((place, drawing, drawing.send(result)))
            except StopIteration as end:
                written[place] = end.value
        waiting = going_on
    return [written[place] for place in range(len(requests))]


def of_kind(kind: str) -> Checkpoint:
    if kind == "shipped":
        return checkpoint.load(Path(settings.BASE_DIR) / "checkpoints" / "base", as_stored=True)
    network = NetworkConfig(embedding=16, units=128)
    return Checkpoint(network, kind_of(network).first_weights(network, 3), {}, "")


@pytest.mark.parametrize("kind", ["shipped", "lstm"])
def test_requests_that_share_their_steps_write_what_each_writes_alone(kind: str) -> None:
    sampler = Sampler(of_kind(kind))
    guard = CopyGuard.of(sampler.generate(REQUESTS[0]).posts[:1])
    alone = [sampler.generate(request, guard=guard) for request in REQUESTS]
    assert together(sampler, REQUESTS, guard) == alone
    assert alone[0].refused.copies or alone[4].refused.total


def test_what_can_not_be_written_is_known_before_the_first_step() -> None:
    drawing = Sampler(of_kind("lstm")).draw(SamplingConfig(prompt="too long", max_characters=3))
    with pytest.raises(BadSampling):
        next(drawing)
