"""Data of version 0.1.0 (`tests/data/make_0_1_0.py`) keeps working."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from django.conf import settings

DATA = Path(__file__).parent / "data/0_1_0.tar.xz"


@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="the kept database is one of SQLite")
def test_old_databases_checkpoints_and_running_jobs_keep_working(tmp_path: Path) -> None:
    with tarfile.open(DATA) as packed:
        packed.extractall(tmp_path, filter="data")
    environment = {
        **os.environ,
        "BOTFACTORY_HOME": str(tmp_path / "var"),
        "CHECKPOINTS_DIR": str(tmp_path / "checkpoints"),
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    run("manage.py", "migrate", "--no-input")
    [samples] = tmp_path.glob("checkpoints/bases/*/strangers.json")
    kept_samples = samples.read_bytes()
    path = tmp_path / "var/expected.json"
    expected = json.loads(path.read_text(encoding="utf-8"))
    found = json.loads(run("-m", "tests.upgrade", str(path)).splitlines()[-1])

    assert found["posts"] == expected["posts"]
    assert found["has_guard"] and samples.read_bytes() == kept_samples
    # The earlier attempt saved the first epoch, so it is neither lost nor trained again.
    interrupted = {"state": "succeeded", "error": "", "attempt": 2, "epochs": [1, 2], "resumed": 0}
    assert found["interrupted"] == {**interrupted, "model": ["Interrupted", 2, True]}
    waiting = {"state": "succeeded", "error": "", "attempt": 1, "epochs": [1], "resumed": 0}
    assert found["waiting"] == {**waiting, "model": ["Waiting", 1, True]}
    assert 0 < expected["kept"] < 120
    cleaned = {"state": "succeeded", "error": "", "corpus": "ready", "kept": expected["kept"]}
    assert found["cleaned"] == cleaned
