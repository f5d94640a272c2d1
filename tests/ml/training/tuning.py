"""A small fine-tune, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig
from models_app.ml.training.trainer import EpochResult, FineTuneResult, Progress, fine_tune

TRAIN = [f"the {colour} fox number {number} said hé 👋" for number in range(8) for colour in ("red", "blue", "grey")]
VALIDATION = ["the green fox number 3 said hé 👋", "the red fox said", "a fox", "number 7"]
CONFIG = FineTuneConfig(
    epochs=3,
    batch_size=4,
    sequence_length=5,
    learning_rate=0.02,
    final_learning_rate=0.05,
    warmup_steps=4,
    dropout=0.2,
    seed=5,
)
Answer = Literal["go", "stop", "cancel"]


def tune(
    start: Checkpoint,
    work_dir: Path,
    *,
    config: FineTuneConfig = CONFIG,
    control: Callable[[], Answer] = lambda: "go",
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[EpochResult], None] = lambda _: None,
    **others: Any,
) -> FineTuneResult:
    values: dict[str, Any] = {"train": TRAIN, "validation": VALIDATION, "sample_count": 2} | others
    return fine_tune(
        start=start,
        config=config,
        work_dir=work_dir,
        on_progress=on_progress,
        on_epoch=on_epoch,
        control=control,
        **values,
    )
