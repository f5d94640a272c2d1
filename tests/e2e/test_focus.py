"""The focus is never lost: every test here fails when it is (lost_focus.js), whatever else it tests."""

from __future__ import annotations

import pytest

from tests.e2e.person import Person


@pytest.mark.once
def test_a_lost_focus_is_a_complaint(alice: Person) -> None:
    page = alice.page
    link = page.get_by_role("link", name="Dashboard")
    link.focus()
    page.mouse.click(5, 400)
    page.wait_for_timeout(1200)
    assert alice.complaints == []
    link.focus()
    with page.expect_console_message(lambda message: "The focus is lost" in message.text):
        link.evaluate("(node) => setTimeout(() => node.remove(), 300)")
    assert len(alice.complaints) == 1 and "Dashboard" in alice.complaints.pop()
