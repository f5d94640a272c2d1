"""When something fails, people can try again from where they are: the focus stays, and so does the button."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.person import Person

pytestmark = pytest.mark.once

NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"


def test_a_post_is_copied_without_a_clipboard_api_and_the_focus_stays(alice: Person) -> None:
    alice.open_base()
    page = alice.page
    page.get_by_label("How many").fill("1")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("[data-seed]")).to_have_count(1)
    page.evaluate(NO_CLIPBOARD)
    button = page.get_by_role("button", name="Copy post 1")
    button.press("Enter")
    expect(page.locator(".toast")).to_have_text("Copied")
    expect(button).to_be_focused()


def test_more_posts_can_be_asked_for_again_after_a_failure(alice: Person) -> None:
    with alice.other_device() as desk:
        desk.open_base()
        page = desk.page
        page.get_by_label("How many").fill("1")
        page.get_by_role("button", name="Write", exact=True).click()
        expect(page.locator("[data-seed]")).to_have_count(1)
        page.route("**/generate", lambda route: route.abort())
        more = page.get_by_role("button", name="More posts")
        more.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("Can’t reach the server. Try again.")
        expect(more).to_be_focused()
        page.unroute("**/generate")
        page.keyboard.press("Enter")
        expect(page.locator("[data-seed]")).to_have_count(2)


def test_an_upload_keeps_the_focus_and_is_sent_once_however_often_the_button_is_pressed(
    alice: Person, tmp_path: Path
) -> None:
    file = tmp_path / "diary.txt"
    file.write_text("A post.\n")
    held: list[Route] = []
    with alice.other_device() as desk:
        page = desk.page
        desk.open("/corpora/new")
        desk.choose_file(file)
        page.get_by_label("My own account").check()
        page.route(lambda url: url.endswith("/corpora/new"), lambda route: held.append(route))
        button = page.get_by_role("button", name="Import posts")
        button.press("Enter")
        expect(page.get_by_role("button", name="Stop sending")).to_be_visible()
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Stop sending").press("Enter")
        expect(button).to_be_enabled()
        expect(button).to_be_focused()
        assert len(held) == 1
        desk.require_focus()


def test_a_comparison_speaks_only_of_columns_that_have_posts(alice: Person) -> None:
    with alice.other_device() as desk:
        page = desk.page
        base = desk.open_base().rstrip("/").rsplit("/", 1)[1]
        desk.open("/compare/")
        for number in (1, 2):
            page.get_by_label(f"Bot of column {number}").select_option(base)
        page.get_by_label("How many").fill("1")
        button, status = page.get_by_role("button", name="Compare"), page.locator(".writing-status")
        page.route("**/generate", lambda route: route.abort())
        button.press("Enter")
        expect(page.get_by_role("alert")).to_have_count(2)
        expect(status).to_have_text("")
        page.unroute("**/generate")
        page.route("**/generate", lambda route: route.abort(), times=1)
        button.press("Enter")
        expect(status).to_have_text(re.compile(r"^Done\. The columns with posts have the seed \d+\.$"))
        expect(page.get_by_role("alert")).to_have_count(1)
        button.press("Enter")
        expect(status).to_have_text(re.compile(r"^Done\. All columns have the seed \d+\.$"))
