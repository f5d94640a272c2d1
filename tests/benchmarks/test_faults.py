"""The script that kills what sends posts."""

from __future__ import annotations

import pytest

from benchmarks import faults

from .conftest import last_line

pytestmark = pytest.mark.long


def test_no_post_is_lost_or_appears_twice(capsys: pytest.CaptureFixture[str]) -> None:
    faults.main(["--faults", "6", "--posts", "6", "--seed", "3", "--json"])
    found = last_line(capsys)
    assert (found["lost"], found["twice"], found["unsettled"]) == (0, 0, 0)
    assert found["posts"] == 12 <= found["requests_that_publish"] and found["states"] == {"posted": 12}
