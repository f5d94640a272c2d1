"""The process that serves pages stays small: it never loads what trains or what speaks to X."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import botfactory.asgi
from django.urls import get_resolver
get_resolver().url_patterns
from models_app import registry, services
from tweets import services
loaded = {name.partition(".")[0] for name in sys.modules}
print(*sorted(loaded & {"tensorflow", "keras", "tweepy", "ijson", "matplotlib"}))
"""


def test_the_web_process_loads_no_tensorflow_keras_or_tweepy() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
