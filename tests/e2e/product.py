"""The product as a person starts it, `manage.py run` in a process of its own, with a base model that learns fast."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from models_app.ml.checkpoint import save
from models_app.ml.config import NetworkConfig
from models_app.ml.kinds import kind_of

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 30
#: Of the Redis that REDIS_URL names, a database that no other test uses.
REDIS_DATABASE = 9


@dataclass(frozen=True, slots=True)
class Product:
    """A running product: its address, and the folders that it writes to."""

    url: str
    home: Path
    checkpoints: Path


@contextmanager
def running_product(folder: Path, *, x_api_url: str, x_bearer_token: str, port: int = 0) -> Iterator[Product]:
    """The product answers at the address; it is stopped on leaving, and everything it kept lies in `folder`."""
    home, checkpoints = folder / "var", folder / "checkpoints"
    home.mkdir(parents=True)
    save_small_base(checkpoints / "base")
    port = port or free_port()
    with own_database() as database_url:
        environment = {
            **os.environ,
            "BOTFACTORY_HOME": str(home),
            "CHECKPOINTS_DIR": str(checkpoints),
            "DATABASE_URL": database_url,
            "REDIS_URL": other_redis_database(os.environ.get("REDIS_URL", "")),
            "X_BEARER_TOKEN": x_bearer_token,
            "X_API_URL": x_api_url,
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "JOB_HEARTBEAT_SECONDS": "1",
            "JOB_STALE_SECONDS": "10",
            "JOB_REAP_SECONDS": "2",
        }
        if database_url:
            # As an operator does: only a local SQLite is made ready by `run` itself.
            migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
            subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
        log = folder / "run.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "run", "--port", str(port)],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        product = Product(f"http://localhost:{port}", home, checkpoints)
        try:
            wait_until_open(product, process, log)
            yield product
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def save_small_base(directory: Path) -> None:
    """A base model that knows nothing and is trained in a second."""
    network = NetworkConfig(embedding=16, units=32)
    save(directory, network=network, weights=kind_of(network).first_weights(network, 1), meta={})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_open(product: Product, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{product.url}/accounts/login/", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    logs = [log, *sorted((product.home / "logs").glob("*.log"))]
    raise RuntimeError("The product did not start.\n" + "\n".join(f"--- {path}\n{path.read_text()}" for path in logs))


def other_redis_database(url: str) -> str:
    """The same Redis with a database of our own; blank where the product is to start one itself."""
    if not url:
        return ""
    return urlunsplit(urlsplit(url)._replace(path=f"/{REDIS_DATABASE}"))


@contextmanager
def own_database() -> Iterator[str]:
    """The address of a Postgres database that lives as long as this; blank (SQLite) where DATABASE_URL names none."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        yield ""
        return
    name = f"botfactory_e2e_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
