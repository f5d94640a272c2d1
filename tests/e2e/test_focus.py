"""The focus is never lost: every test with `alice` fails if it is at its end (lost_focus.js)."""

from __future__ import annotations

import pytest

from tests.e2e.person import Person


def test_a_lost_focus_fails_a_test(alice: Person) -> None:
    page = alice.page
    link = page.get_by_role("link", name="Dashboard")
    link.focus()
    page.mouse.click(5, 400)
    alice.require_focus()
    link.focus()
    link.evaluate("(node) => node.remove()")
    with pytest.raises(AssertionError, match="lost the focus"):
        alice.require_focus(0.5)
    alice.open("/")
