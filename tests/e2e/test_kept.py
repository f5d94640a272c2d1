"""Point 6, too: what people keep of what a bot wrote."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.person import Person


@pytest.fixture(scope="module")
def bot(founder: Person) -> str:
    return founder.open_base()


def test_a_post_is_kept_edited_and_drawn_as_a_picture(alice: Person, bot: str) -> None:
    alice.open(bot)
    page = alice.page
    page.get_by_label("How many").fill("2")
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_role("button", name="Keep post 1", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Kept: post 1", exact=True)).to_have_attribute("aria-pressed", "true")
    edit = page.get_by_role("link", name="Edit post 2 and keep it")
    edit.press("Enter")
    expect(page.get_by_label("Your version")).to_be_focused()
    page.get_by_label("Your version").fill("my own words")
    page.get_by_role("button", name="Keep this version").press("Enter")
    expect(edit).to_be_focused()
    page.get_by_role("tab", name="Kept").click()
    kept = page.locator("#kept-list .post")
    expect(kept).to_have_count(2)
    expect(kept.first).to_contain_text(re.compile("edited.*my own words", re.DOTALL))
    picture = kept.first.get_by_role("button", name="Picture of post 1")
    picture.press("Enter")
    expect(page.get_by_role("img", name=re.compile("my own words.*Edited by a person"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).press("Enter")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.keyboard.press("Escape")
    expect(picture).to_be_focused()
    page.get_by_label("Search kept posts").fill("my own")
    page.get_by_label("Search kept posts").press("Enter")
    expect(kept).to_have_count(1)
    kept.get_by_role("button", name="Remove post 1").press("Enter")
    expect(page.get_by_text("No kept post contains these words.")).to_be_visible()
    alice.require_no_complaints()


def keep_one(person: Person, bot: str) -> tuple[Locator, Locator]:
    """Have the bot write a post and keep it. Return the button to keep it, and the same once it's kept."""
    person.open(bot)
    page = person.page
    page.get_by_label("How many").fill("1")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("#generation .post")).to_have_count(1)
    keep = page.get_by_role("button", name="Keep post 1", exact=True)
    kept = page.get_by_role("button", name="Kept: post 1", exact=True)
    keep.press("Enter")
    expect(kept).to_have_attribute("aria-pressed", "true")
    return keep, kept


def test_a_post_that_is_removed_elsewhere_can_be_kept_again(alice: Person, bot: str) -> None:
    keep, kept = keep_one(alice, bot)
    page = alice.page
    page.get_by_role("tab", name="Kept").click()
    page.get_by_role("button", name="Remove post 1", exact=True).press("Enter")
    page.get_by_role("tab", name="Posts").click()
    keep.press("Enter")
    expect(kept).to_have_attribute("aria-pressed", "true")
    with alice.other_device() as desk:
        desk.open(bot)
        desk.page.get_by_role("tab", name="Kept").click()
        with desk.page.expect_response(lambda answer: answer.request.method == "POST"):
            desk.page.get_by_role("button", name="Remove post 1", exact=True).press("Enter")
    kept.press("Enter")
    expect(page.locator(".toast")).to_have_text("No longer kept.")
    keep.press("Enter")
    expect(kept).to_have_attribute("aria-pressed", "true")
    kept.press("Enter")
    expect(keep).to_have_attribute("aria-pressed", "false")
    alice.require_no_complaints()


def test_a_button_works_at_the_moment_when_its_part_of_the_page_comes(alice: Person, bot: str) -> None:
    keep_one(alice, bot)
    page = alice.page
    page.evaluate(
        """() => new MutationObserver((changes, watch) => {
            const remove = document.querySelector("#kept-list button[aria-label='Remove post 1']");
            if (!remove) return;
            watch.disconnect();
            remove.click();
        }).observe(document.body, {childList: true, subtree: true})"""
    )
    with page.expect_request(lambda request: request.method == "POST") as removal:
        page.get_by_role("tab", name="Kept").click()
    # A form that htmx doesn't know yet would lead to another page.
    assert removal.value.url.endswith("/remove") and removal.value.header_value("HX-Request") == "true"
    expect(page.get_by_role("tab", name="Posts")).to_be_visible()
    alice.require_no_complaints()
