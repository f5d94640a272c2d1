from __future__ import annotations

import os
import subprocess
import sys

from models_app.ml.networks import processor

# TensorFlow sets its threads once per process, so each test has its own process.
BEFORE = """
import os
from models_app.ml.training import tf_threads
import tensorflow as tf

def shared_out(count, variable=None):
    os.environ.pop("TF_NUM_INTRAOP_THREADS", None)
    if variable:
        os.environ["TF_NUM_INTRAOP_THREADS"] = variable
    tf_threads.available = lambda: count
    tf_threads.share_out()
    threads = tf.config.threading
    print(threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads())
"""
AS_TENSORFLOW_CHOOSES = "0 0"


def printed(script: str) -> list[str]:
    command = [sys.executable, "-c", BEFORE + script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_an_operation_runs_on_one_of_two_cores_where_nobody_says_otherwise() -> None:
    lines = printed('shared_out(3); shared_out(2, variable="2"); shared_out(2); shared_out(1)')
    assert lines == [AS_TENSORFLOW_CHOOSES, AS_TENSORFLOW_CHOOSES, "1 2", "1 2"]


def test_a_training_shares_them_out_before_it_begins() -> None:
    script = """
tf_threads.available = lambda: 2
from models_app.ml.config import NetworkConfig
from models_app.ml.networks.registry import kind_of
from models_app.ml.training.learner import Learner
network = NetworkConfig(embedding=2, units=3)
Learner(network, kind_of(network).first_weights(network, 0), beta_2=0.99, clip_norm=1.0)
print(tf.config.threading.get_intra_op_parallelism_threads())
"""
    assert printed(script) == ["1"]


def test_after_the_first_operation_all_stays_as_it_is() -> None:
    assert printed("tf.add(1, 1); shared_out(2)") == [AS_TENSORFLOW_CHOOSES]


def test_the_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= processor.available() <= (os.cpu_count() or 1)
