"""The parent of the training processes loads TensorFlow without a thread, because a fork doesn't copy threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.product import ROOT

SCRIPT = """
import os, sys
import django
django.setup()
from models_app.training import fine_tune_job
fine_tune_job.load()
assert "tensorflow" in sys.modules
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is loaded before forks elsewhere")
def test_what_trains_is_loaded_without_a_thread() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "1"
