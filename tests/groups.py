"""Which tests run in one process, and in which order, when processes share the tests (pytest-xdist).

xdist has `--dist loadgroup` for this, but it writes the group into a private field that pytest 9.2 no longer reads: it
then groups nothing and says nothing (pytest-xdist issue 1386). So the scheduler here takes the group from the path.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: The tests of this folder share a product. They are two groups, so two processes start one each.
E2E = "tests/e2e"
HALVES = (f"{E2E}: a to l", f"{E2E}: m to z")
#: The groups that take longest, longest first: a group that starts last should be short.
LONGEST = (
    *HALVES,
    "tests/whole/test_accidents.py",
    "tests/rest/test_schemathesis.py",
    "tests/whole/test_walk_through.py",
)


def group_of(test: str) -> str:
    """Return the group of a test, given its id."""
    path = test.partition("::")[0]
    folder, _, name = path.rpartition("/")
    # Every other file is a group of its own.
    return HALVES[name >= "test_m"] if folder == E2E else path


def place_of(test: str) -> int:
    """Return the place of a test's group among the LONGEST; all others come after them."""
    group = group_of(test)
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Give each process whole groups, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
