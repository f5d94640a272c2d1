"""How much memory this process can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from botfactory.ops import machine


def memory(folder: Path, own: str, **limits: str) -> int | None:
    (folder / "own").write_text(own)
    for place, limit in limits.items():
        path = folder / "cgroups" / place.replace("__", "/") / "memory.max"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")
    return machine.memory(folder / "cgroups", folder / "own")


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path) -> None:
    everything = machine.memory(tmp_path / "none", tmp_path / "nothing")
    assert everything is not None and everything > 10**8
    assert memory(tmp_path, "0::/service\n", service="max") == everything


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"house__service": "60000000"}, 60_000_000),
        ({"house__service": "max", "house": "50000000"}, 50_000_000),
        ({"house__service": "70000000", "house": "50000000"}, 50_000_000),
    ],
)
def test_the_tightest_limit_of_its_control_groups_counts(tmp_path: Path, limits: dict[str, str], expected: int) -> None:
    assert memory(tmp_path, "0::/house/service\n", **limits, other="1000") == expected


def test_limits_of_older_kernels_count_too(tmp_path: Path) -> None:
    path = tmp_path / "cgroups/memory/memory.limit_in_bytes"
    path.parent.mkdir(parents=True)
    path.write_text("40000000\n")
    assert memory(tmp_path, "1:memory:/\n") == 40_000_000
