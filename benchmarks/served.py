"""Parts of the product that run in a folder of their own: Valkey, a web process and, for `running`, writers with bots.

Everything is in its own folder and reachable only from this machine. Figures of processes come from /proc.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from . import common
from .common import say
from .posts import made_posts

#: The defaults of settings.GENERATIONS_AT_ONCE and settings.TRAINER_NICE.
WRITERS: Final = 2
TRAINER_NICE: Final = 10
#: Number of posts of the training beside, and seconds until it trains.
TRAINING_POSTS: Final = 4000
TRAINING_STARTS: Final = 90.0

MAKE_BOTS: Final = """
import shutil
from botfactory.accounts.models import User
from models_app import model_files
from models_app.base_models import versions
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.model_files import FINGERPRINTS
from models_app.models import TrainedModel
from benchmarks.posts import made_posts
base, owner = versions.base_model(), User.objects.get(username="bench")
for number in range(BOTS):
    bot = TrainedModel(owner=owner, name=f"Bot {number}", sha256=base.sha256, network=base.network)
    bot.directory = f"users/{owner.pk}/{bot.pk}"
    shutil.copytree(model_files.path_of(base), model_files.path_of(bot))
    CopyGuard.of(made_posts(3000, seed=number)).save(model_files.path_of(bot) / FINGERPRINTS)
    bot.save()
    print(bot.pk)
"""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process of the product."""

    pid: int

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def megabytes(self) -> float:
        return self._status("VmRSS") * 1024 / 1e6

    def most_megabytes(self) -> float:
        return self._status("VmHWM") * 1024 / 1e6

    def threads(self) -> int:
        return self._status("Threads")

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Product:
    """A running product: the address of its pages, a token, and the ids of bots."""

    web: Process
    writers: list[Process]
    url: str
    token: str
    bots: list[str]


class Folder:
    """The product's folder, and how to run its commands."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "base").symlink_to(base.resolve())
        self.environment = {
            **os.environ,
            "BOTFACTORY_HOME": str(folder / "var"),
            "CHECKPOINTS_DIR": str(folder / "checkpoints"),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LIMIT_REQUESTS": "",
            "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(16),
            "OPENBLAS_NUM_THREADS": "1",
        }

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=common.ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout.strip()

    def shell(self, code: str) -> list[str]:
        """Run the code and return what it prints."""
        return self.manage("shell", "--no-imports", "-c", code).splitlines()

    def start(self, name: str, *command: str, nice: int = 0) -> subprocess.Popen[bytes]:
        with self.log(name).open("wb") as log:
            return subprocess.Popen(
                ["nice", "-n", str(nice), *command] if nice else command,
                cwd=common.ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def valkey(self) -> list[str]:
        """Return the command of the product's own Valkey."""
        return self.shell(
            "from django.conf import settings; from botfactory.ops import valkey; "
            "print('\\n'.join(valkey.server_command(valkey.socket_of(settings.REDIS_URL))))"
        )

    @staticmethod
    def web(port: int) -> list[str]:
        """Return the command of a web process."""
        return [sys.executable, "manage.py", "web", "--port", str(port)]

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@contextmanager
def running(folder: Path, base: Path, bots: int) -> Iterator[Product]:
    """A product with this many bots, nothing else in its home, and no limit of requests per minute."""
    home, port = Folder(folder, base), free_port()
    say("starting")
    home.manage("migrate", "--verbosity", "0")
    home.manage("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@example.org")
    token = home.manage("token", "bench", "--owner", "bench").split()[-1]
    found = home.shell(MAKE_BOTS.replace("BOTS", str(bots)))[-bots:]
    processes = [home.start("valkey", *home.valkey())]
    try:
        writers = [home.start(f"writer-{number}", sys.executable, "manage.py", "writer") for number in range(WRITERS)]
        scheduler = home.start("scheduler", sys.executable, "manage.py", "scheduler")
        web = home.start("web", *home.web(port))
        processes += [*writers, scheduler, web]
        product = Product(
            web=Process(web.pid),
            writers=[Process(writer.pid) for writer in writers],
            url=f"http://127.0.0.1:{port}",
            token=token,
            bots=found,
        )
        wait_until_ready(f"{product.url}/readyz", [web, *writers, scheduler], home, "web", "writer-0")
        yield product
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


@contextmanager
def training(folder: Path, base: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A training beside the writers, at the priority of the trainer of `manage.py run`, with its own home."""
    folder.mkdir()
    home = Folder(folder, base)
    posts = folder / "posts.txt"
    posts.write_text("\n".join(made_posts(TRAINING_POSTS)) + "\n", encoding="utf-8")
    command = [sys.executable, "manage.py", "fine_tune", str(posts), "--epochs", "10", "--yes"]
    process = home.start("training", *command, nice=TRAINER_NICE)
    try:
        deadline = time.monotonic() + TRAINING_STARTS
        say("starting a training")
        while time.monotonic() < deadline and Process(process.pid).processor_seconds() < 15:
            if process.poll() is not None:
                raise SystemExit(f"The training has ended: {home.log('training').read_text(encoding='utf-8')}")
            time.sleep(0.5)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_ready(url: str, processes: list[subprocess.Popen[bytes]], home: Folder, *logs: str) -> None:
    """Return once the address answers. Shows these logs if a process ends or a minute passes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(process.poll() for process in processes):
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    said = "\n".join(home.log(name).read_text(encoding="utf-8") for name in logs)
    raise SystemExit(f"The product does not answer: {said}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
