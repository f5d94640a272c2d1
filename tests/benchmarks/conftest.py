from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.posts import made_posts
from models_app.ml.checkpoint import save
from models_app.ml.config import NetworkConfig
from models_app.ml.networks.registry import kind_of

TINY_LSTM = NetworkConfig(embedding=4, units=8)
TINY_GLR = NetworkConfig(kind="glr", embedding=4, units=8, layers=1)


@pytest.fixture(scope="session")
def broker() -> None:
    """Replace the broker of the other tests, because nothing here needs it."""


@pytest.fixture(scope="session")
def writer() -> None:
    """Replace the writer, because nothing here needs it."""


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[[NetworkConfig], Path]:
    """Save a tiny network with random weights and return its folder."""

    def saved(network: NetworkConfig) -> Path:
        folder = tmp_path / network.kind
        save(folder, network=network, weights=kind_of(network).first_weights(network, 0), meta={})
        return folder

    return saved


@pytest.fixture
def base_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the real base corpus by a few made-up posts."""
    file = tmp_path / "corpus" / "train-00.txt.xz"
    file.parent.mkdir()
    file.write_bytes(lzma.compress("".join(f"{post}\n" for post in made_posts(600, seed=1)).encode()))
    monkeypatch.setenv("BOTFACTORY_DATA", str(tmp_path))
    return file


def persona_file(path: Path, texts: list[str]) -> Path:
    """Write posts newest first, as the sources do. The texts come oldest first."""
    lines = [json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts, 1)]
    path.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    return path


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the last line that a script printed, parsed as JSON."""
    lines = capsys.readouterr().out.strip().splitlines()
    values: dict[str, Any] = json.loads(lines[-1])
    return values
