"""The links that commands print lead to the pages: under a name that others can reach, at the port that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botfactory.ops.commands import RUN_LOCK, address_of
from botfactory.ops.supervisor import only_one


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Path:
    """Return the home of an installation that isn't running."""
    settings.BOTFACTORY_HOME = tmp_path
    return tmp_path


@pytest.mark.parametrize(
    ("hosts", "https", "address"),
    [
        (["localhost", "my-machine.local"], False, "http://my-machine.local:8000/x/"),
        (["my-machine.local"], False, "http://my-machine.local:8000/x/"),
        (["localhost", "127.0.0.1", "bots.example.org"], True, "https://bots.example.org/x/"),
        (["localhost", "127.0.0.1", "[::1]"], False, "http://localhost:8000/x/"),
        (["127.0.0.1"], False, "http://127.0.0.1:8000/x/"),
        ([".example.org", "bots.example.org"], True, "https://bots.example.org/x/"),
        (["localhost", ".example.org"], True, "https://example.org/x/"),
        (["*"], False, "http://localhost:8000/x/"),
    ],
)
def test_a_link_has_a_name_that_others_can_reach(settings: Any, hosts: list[str], https: bool, address: str) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS = hosts, https
    assert address_of("/x/") == address


@pytest.mark.parametrize(("host", "port"), [("localhost", 8080), ("[fd00::1]", 9000)])
def test_a_link_has_the_port_of_the_product_that_runs(settings: Any, home: Path, host: str, port: int) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS = ["my-machine.local"], False
    with only_one(home / RUN_LOCK) as lock:
        assert address_of("/x/") == "http://my-machine.local:8000/x/"
        lock.write(f"http://{host}:{port}/")
        lock.flush()
        assert address_of("/x/") == f"http://my-machine.local:{port}/x/"
    # What an ended run has left in the file says nothing about the next one.
    assert address_of("/x/") == "http://my-machine.local:8000/x/"


def test_a_link_begins_with_the_address_that_was_given(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["my-machine.local"]
    assert address_of("/x/", "https://bots.example.org/") == "https://bots.example.org/x/"
