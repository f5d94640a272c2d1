"""Tests of a group run in one process, and the groups that take longest come first."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from tests import groups

ROOT = Path(settings.BASE_DIR)
TESTS = [
    "tests/e2e/test_a.py::test_1",
    "tests/e2e/test_n.py::test_1",
    "tests/jobs/test_a.py::test_1[x::y]",
    "tests/jobs/test_a.py::TestClass::test_2",
    "tests/jobs/test_b.py::test_1",
    *(f"tests/jobs/test_c.py::test_{number}" for number in range(9)),
]


class Process:
    """A process that runs what it gets at once, and records it."""

    shutting_down = False

    def __init__(self, number: int) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.given: list[int] = []

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def shared(pytestconfig: pytest.Config, tests: list[str]) -> list[list[str]]:
    """Return the tests that each of two processes gets from the scheduler of `pytest -n 2 --dist loadgroup`."""
    option = Namespace(tx=["popen", "popen"], px=None, numprocesses=2, maxprocesses=None, loadscopereorder=True)
    config = SimpleNamespace(option=option, getvalue=lambda name: getattr(option, name))
    scheduler: Any = pytestconfig.hook.pytest_xdist_make_scheduler(config=config, log=None)
    processes = [Process(0), Process(1)]
    for process in processes:
        scheduler.add_node(process)
        scheduler.add_node_collection(process, tests)
    scheduler.schedule()
    done = [0, 0]
    while done != [len(process.given) for process in processes]:
        for number, process in enumerate(processes):
            for index in process.given[done[number] :]:
                done[number] += 1
                scheduler.mark_test_complete(process, index)
    return [[tests[index] for index in process.given] for process in processes]


def test_each_test_is_given_once_and_a_group_to_one_process_in_order(pytestconfig: pytest.Config) -> None:
    given = shared(pytestconfig, TESTS)
    assert all(given)
    assert sorted([*given[0], *given[1]]) == sorted(TESTS)
    of_each = [{groups.group_of(test) for test in tests} for tests in given]
    assert of_each[0].isdisjoint(of_each[1])
    for tests in given:
        assert tests == sorted(tests, key=TESTS.index)


def test_a_folder_with_a_product_is_two_groups_and_elsewhere_each_file_is() -> None:
    found = [groups.group_of(test) for test in TESTS[:5]]
    files = ["tests/jobs/test_a.py", "tests/jobs/test_a.py", "tests/jobs/test_b.py"]
    assert found == [groups.HALVES[0], groups.HALVES[1], *files]


def test_what_takes_longest_was_collected_first(request: pytest.FixtureRequest) -> None:
    places = [groups.place_of(item.nodeid) for item in request.session.items]
    assert places == sorted(places)


@pytest.mark.parametrize("group", groups.LONGEST)
def test_each_group_that_is_named_is_there(group: str) -> None:
    assert group in {
        groups.group_of(f"{path.relative_to(ROOT).as_posix()}::test") for path in ROOT.glob("tests/*/*.py")
    }
