"""How TensorFlow shares out the cores of this machine. Imports TensorFlow."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

import tensorflow as tf

FEW: Final = 2


def available() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out() -> None:
    """From here on, where there are one or two cores, an operation runs on one of them, two operations side by side.

    A training step is two chains of many small operations (`Learner`). With an operation on each core, neither waits
    for the other after every single one, and nothing is handed from one core's cache to the other's: a fifth to a
    quarter of the time (docs/benchmarks.md). TensorFlow takes this only before its first operation, and not where
    TF_NUM_INTRAOP_THREADS says something else; then all stays as it is. More cores keep what TensorFlow chooses.
    """
    if available() > FEW or "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    with suppress(RuntimeError):  # it has run an operation already
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(FEW)


def has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
