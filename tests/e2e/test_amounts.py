"""Minutes and megabytes on the page of a base training: a small budget has less than one."""

from __future__ import annotations

import pytest

from tests.e2e.person import Person

pytestmark = pytest.mark.once

WRITTEN = """async (numbers) => {
  const { amount, shortest } = await import("/static/js/format.js");
  return numbers.map((number) => [amount(number), shortest(number)]);
}"""


def test_no_amount_is_written_as_zero_unless_it_is(alice: Person) -> None:
    alice.open("/")
    written = dict(zip(numbers := (0, 0.0523, 0.5, 2.5, 90, 1200), alice.page.evaluate(WRITTEN, numbers), strict=True))
    assert written == {
        0: ["0.0", "0"],
        0.0523: ["0.052", "0.052"],
        0.5: ["0.50", "0.5"],
        2.5: ["2.5", "2.5"],
        90: ["90.0", "90"],
        1200: ["1200.0", "1,200"],
    }
