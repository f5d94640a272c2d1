"""Loaded before Django's settings (`-p tests.environment`): the tests keep everything in a folder of their own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="botfactory-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ["BOTFACTORY_HOME"] = str(HOME / "var")
os.environ["CHECKPOINTS_DIR"] = str(HOME / "checkpoints")
os.environ["SECRET_KEY"] = "only for the tests, which serve nobody"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
# What the developer has set for the product is not what the tests are about.
for name in (
    "X_BEARER_TOKEN",
    "X_API_URL",
    "BLUESKY_API_URL",
    "PRIVATE_SERVERS",
    "ALLOWED_HOSTS",
    "DEBUG",
    "HTTPS",
    "API_CORS_ORIGINS",
    "METRICS_ADDRESSES",
    "METRICS_TOKEN",
):
    os.environ[name] = ""
(HOME / "var").mkdir()
(HOME / "checkpoints").mkdir()
