"""The script that measures how the product starts, which also starts it as on systems that can't fork."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import common, served, starting

pytestmark = pytest.mark.long


def test_the_product_starts_in_forks_and_in_processes_of_their_own(tmp_path: Path) -> None:
    home = served.Folder(tmp_path, common.BASE)
    runs = {name: [starting.start(name, home, settling=0)] for name in starting.NAMES}
    assert {"seconds", "processor_seconds", "megabytes", "ratio"} == set(starting.compared(runs))
    forks, own = (each[0] for each in runs.values())
    # The broker, the supervisor, two writers, the web process and three workers; those of the workers may follow.
    assert forks["processes"] >= 8 and own["processes"] >= 8
    assert 0 < forks["megabytes"] < own["megabytes"]
