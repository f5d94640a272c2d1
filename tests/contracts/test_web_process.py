"""The web process stays small: it never loads code that trains or talks to X."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
import botfactory.asgi
from django.urls import get_resolver
get_resolver().url_patterns
from models_app.training import planning
from models_app.writing import asking
from tweets.corpora import services
loaded = {name.partition(".")[0] for name in sys.modules}
print(*sorted(loaded & {"tensorflow", "keras", "tweepy", "matplotlib"}))
"""


def test_the_web_process_loads_no_tensorflow_keras_or_tweepy() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Only Linux tells the threads of a process here.")
def test_the_web_process_starts_no_threads_for_products_that_it_never_computes() -> None:
    code = "import os, botfactory.asgi; from models_app.bots import registry; print(len(os.listdir('/proc/self/task')))"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.strip() == "1"
