"""TensorFlow's threads on the cores of this machine. Imports TensorFlow."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

import tensorflow as tf

from models_app.ml.networks.processor import available

FEW: Final = 2


def share_out() -> None:
    """On one or two cores, run each operation on one core, and two operations in parallel.

    A training step is two chains of many small operations (`microbatches`). With one chain per core, no chain waits for
    the other after each operation, and no data moves between the cores' caches. This saves a fifth to a quarter of the
    time (docs/benchmarks.md). Does nothing after TensorFlow's first operation, with TF_NUM_INTRAOP_THREADS set, or with
    more cores.
    """
    if available() > FEW or "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    with suppress(RuntimeError):  # TensorFlow has already run an operation
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(FEW)


def microbatches(rows: int, *, least: int = 2) -> list[slice]:
    """Return the rows as two independent halves, whose chains of operations run in parallel, one per core.

    With fewer rows than `least`, all are one.
    """
    return [slice(0, rows)] if rows < least else [slice(0, rows // 2), slice(rows // 2, rows)]
