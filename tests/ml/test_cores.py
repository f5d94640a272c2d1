from __future__ import annotations

import os
import subprocess
import sys

import pytest

from models_app.ml import cores

# TensorFlow takes its threads once a process, so each case is one.
SCRIPT = """
from models_app.ml import cores
import tensorflow as tf
cores.available = lambda: {cores}
if {late}:
    tf.add(1, 1)
cores.share_out()
print(tf.config.threading.get_intra_op_parallelism_threads(), tf.config.threading.get_inter_op_parallelism_threads())
"""


@pytest.mark.parametrize(
    ("count", "variable", "late", "threads"),
    [
        (1, None, False, "1 2"),
        (2, None, False, "1 2"),
        (3, None, False, "0 0"),  # what TensorFlow chooses
        (2, "2", False, "0 0"),
        (2, None, True, "0 0"),
    ],
    ids=["one core", "two cores", "three cores", "chosen by hand", "too late"],
)
def test_an_operation_runs_on_one_of_two_cores(count: int, variable: str | None, late: bool, threads: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TF_NUM_INTRAOP_THREADS"}
    if variable:
        environment["TF_NUM_INTRAOP_THREADS"] = variable
    script = SCRIPT.format(cores=count, late=late)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == threads.split()


def test_the_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= cores.available() <= (os.cpu_count() or 1)
