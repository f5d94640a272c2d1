"""The product as a person starts it: `manage.py run` in its own process, with its own home."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
from django.conf import settings

from models_app.ml import checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.networks import registry as networks
from models_app.ml.vocabulary.utf8_bytes import END
from tests.environment import PRODUCT_DATABASE, of_redis

ROOT = Path(settings.BASE_DIR)
#: On a busy machine a start takes minutes, and many tests share it.
START_SECONDS = 300


def free_port() -> int:
    """Return a port below those that systems give to connections, one of which could take it before its server does."""
    while True:
        port = secrets.choice(range(20_000, 30_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def save_small_base(checkpoints: Path, *, units: int = 32, kind: Literal["glr", "lstm"] = "glr") -> None:
    """Save an untrained base model, small enough that a training takes seconds. Its posts have about 35 characters.

    By default, it is of the shipped kind, whose graphs are also built faster. They take most of a small training's
    time.
    """
    network = NetworkConfig(embedding=16, units=units)
    if kind == "glr":
        network = replace(network, kind=kind, contexts=(2, 0), context_rows=64, context_width=4)
    weights = networks.kind_of(network).first_weights(network, 7)
    weights["output_bias"][END] = 2
    checkpoint.save(checkpoints / "base", network=network, weights=weights, meta={"name": "base"})


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 60, pause: float = 0.1) -> Any:
    """Wait until `condition` returns something true, and return that. On a timeout, the error names `what`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(pause)


class Product:
    def __init__(self, folder: Path, **environment: str) -> None:
        self.home = folder / "var"
        self.checkpoints = folder / "checkpoints"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.environment = {
            **os.environ,
            "BOTFACTORY_HOME": str(self.home),
            "CHECKPOINTS_DIR": str(self.checkpoints),
            "JOB_HEARTBEAT_SECONDS": "1",
            "JOB_REAP_SECONDS": "1",
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            # After each of many short trainings, it would take the cores from the next test.
            "TRAINER_BUILDS_AHEAD": "0",
            # Beside the tests of another process, it would only get a tenth of a core.
            "TRAINER_NICE": "0",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "manage.py", "run", "--port", str(self.port)]
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "run.out").open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        wait_for("the product to open", self._is_open, START_SECONDS)

    def _is_open(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output()
        return "is running at" in self.output()

    def output(self) -> str:
        return (self.home / "run.out").read_text(encoding="utf-8", errors="replace")

    def logs(self) -> str:
        parts = [f"== {path.name}\n{path.read_text(errors='replace')}" for path in self.home.glob("logs/*.log")]
        return "\n".join([self.output(), *parts])

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command beside the running product."""
        result = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    def processes(self, pattern: str) -> list[int]:
        """Return the processes of this product whose name and command line match `pattern`."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environ = (entry / "environ").read_bytes()
                words = [(entry / "comm").read_bytes(), *(entry / "cmdline").read_bytes().split(b"\0")]
                command = b" ".join(words).decode("utf-8", "replace")
            except OSError:
                continue
            if f"BOTFACTORY_HOME={self.home}\0".encode() in environ and re.search(pattern, command):
                found.append(int(entry.name))
        return sorted(found)


class Person:
    """A person without a real browser, who posts forms as pages do."""

    def __init__(self, product: Product, name: str, password: str = "correct horse battery") -> None:
        self.name = name
        self.http = httpx.Client(base_url=product.url, follow_redirects=True, timeout=60)
        self.post("/accounts/signup/", {"username": name, "password1": password, "password2": password})

    def post(self, path: str, data: dict[str, Any], files: Any = None) -> httpx.Response:
        if "csrftoken" not in self.http.cookies:
            self.http.get("/accounts/login/")
        headers = {"X-CSRFToken": self.http.cookies["csrftoken"]}
        return self.http.post(path, data=data, files=files, headers=headers)

    def job(self, job_id: str, after: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = (
            self.http.get(f"/jobs/{job_id}/events", params={"after": after}).raise_for_status().json()
        )
        return answer

    def wait_for_state(self, job_id: str, *states: str, seconds: float = 120) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            snapshot = self.job(job_id)
            return snapshot if snapshot["job"]["state"] in states else None

        snapshot: dict[str, Any] = wait_for(f"job {job_id} to be {' or '.join(states)}", reached, seconds)
        return snapshot

    def bring_text(self, text: str, **fields: str) -> str:
        """Import posts and return the id of the corpus."""
        answer = self.post("/corpora/new", {"way": "text", "text": text, "basis": "own", **fields})
        job = self.wait_for_state(id_in(answer, "jobs"), "succeeded", "failed")
        assert job["job"]["state"] == "succeeded", job
        corpus: str = job["job"]["result"]["corpus"]
        return corpus

    def train(self, corpus: str, epochs: int, **fields: str) -> str:
        """The id of the job."""
        # The graphs of short windows are built sooner.
        asked = {"start": self.start_of(corpus), "epochs": str(epochs), "sequence_length": "16", **fields}
        return id_in(self.post(f"/corpora/{corpus}/", asked), "jobs")

    def start_of(self, corpus: str) -> str:
        """Return the id of the model that trainings start from: the first one on the page of the corpus."""
        page = self.http.get(f"/corpora/{corpus}/").text
        found = re.search(r'name="start" value="([0-9a-f-]{36})"', page)
        assert found, page
        return found[1]


def id_in(answer: httpx.Response, kind: str) -> str:
    found = re.search(rf"/{kind}/([0-9a-f-]{{36}})", str(answer.url))
    assert found, f"{answer.status_code} at {answer.url}: {answer.text[:2000]}"
    return str(uuid.UUID(found[1]))


@contextmanager
def own_services() -> Iterator[dict[str, str]]:
    """Return DATABASE_URL and REDIS_URL for one product if the tests run on Postgres and Redis, or else nothing."""
    environment = {}
    if redis_url := os.environ.get("REDIS_URL"):
        environment["REDIS_URL"] = of_redis(redis_url, PRODUCT_DATABASE)
    url = os.environ.get("DATABASE_URL", "")
    name = f"botfactory_product_{uuid.uuid4().hex[:12]}"
    if url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        environment["DATABASE_URL"] = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    try:
        yield environment
    finally:
        if url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@contextmanager
def running(folder: Path, *, units: int = 32, **environment: str) -> Iterator[Product]:
    """Run a product with a small base model."""
    save_small_base(folder / "checkpoints", units=units)
    with own_services() as services:
        product = Product(folder, **services, **environment)
        try:
            product.start()
            yield product
        finally:
            product.stop()
