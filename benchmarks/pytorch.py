"""The same network in PyTorch, with `nn.LSTM`. Imports torch, from the dependency group `benchmarks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

from models_app.ml.training.dataset import Batch
from models_app.ml.vocabulary.utf8_bytes import SIZE


def installed() -> bool:
    return find_spec("torch") is not None


def training_work(batches: Sequence[Batch], *, embedding: int, units: int, bfloat16: bool) -> Callable[[], None]:
    """Return a function that trains one step on each batch, in float32 or under autocast to bfloat16."""
    import torch

    table = torch.nn.Embedding(SIZE, embedding)
    lstm = torch.nn.LSTM(embedding, units, batch_first=True)
    dense = torch.nn.Linear(units, SIZE)
    parameters = [parameter for layer in (table, lstm, dense) for parameter in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, 0.001)
    pairs = [
        (torch.from_numpy(batch.inputs.astype(np.int64)), torch.from_numpy(batch.targets.astype(np.int64)))
        for batch in batches
    ]
    rows = batches[0].inputs.shape[0]
    state = (torch.zeros(1, rows, units), torch.zeros(1, rows, units))

    def work() -> None:
        nonlocal state
        for inputs, targets in pairs:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                outputs, after = lstm(table(inputs), state)
                logits = dense(outputs)
            loss = torch.nn.functional.cross_entropy(logits.float().reshape(-1, SIZE), targets.reshape(-1))
            loss.backward()
            optimizer.step()
            state = tuple(part.detach() for part in after)
            loss.item()

    return work
