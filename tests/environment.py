"""Loaded before Django's settings (`-p tests.environment`), so that tests keep everything in their own folder."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

#: The number of this process among those that share the tests (pytest-xdist).
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
#: The databases in the Redis of REDIS_URL: for the tests of the first process, and for the products they start.
TESTS_DATABASE, PRODUCT_DATABASE = 7, 9
REDIS_DATABASES = 16  # the default of Redis


def of_redis(url: str, database: int) -> str:
    """Return the address of this process's database. Processes don't share one."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{(database + 4 * WORKER) % REDIS_DATABASES}"))


HOME = Path(tempfile.mkdtemp(prefix="botfactory-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ["BOTFACTORY_HOME"] = str(HOME / "var")
os.environ["CHECKPOINTS_DIR"] = str(HOME / "checkpoints")
os.environ["SECRET_KEY"] = "only for the tests, which serve nobody"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
# Nobody answers there.
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
# As `manage.py` sets it. Where the processes of the tests share the cores, more threads of OpenBLAS wait for each other
# and use many times the processor time.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
if os.environ.get("REDIS_URL"):
    os.environ["REDIS_URL"] = of_redis(os.environ["REDIS_URL"], TESTS_DATABASE)
# The developer's settings for the product don't apply to tests.
for name in (
    "X_BEARER_TOKEN",
    "X_API_URL",
    "BLUESKY_API_URL",
    "PRIVATE_SERVERS",
    "ALLOWED_HOSTS",
    "DEBUG",
    "HTTPS",
    "HTTPS_REDIRECT",
    "HSTS_SECONDS",
    "API_CORS_ORIGINS",
    "METRICS_ADDRESSES",
    "METRICS_TOKEN",
    "PUBLIC_SHARING",
    "OPEN_GALLERY",
    "SIGNUP_MODE",
    "EMAIL_URL",
    "MAIL_FROM",
):
    os.environ[name] = ""
(HOME / "var").mkdir()
(HOME / "checkpoints").mkdir()
