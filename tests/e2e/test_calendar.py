"""A bot's queue in a browser: proposals appear as they are written, and posts are moved by keys, mouse and form."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.person import Person
from tests.product import Product

#: A bot with three waiting posts.
ROWS = """
from botfactory.accounts.models import User
from models_app.bots import versions
from publishing.queue import connecting, services
from tests.models_app.conftest import import_posts, untrained
from tests.publishing.helpers import TEXTS, approve
model = untrained(import_posts(User.objects.get(username="quinn")), versions.base_model())
services.change(model, {"zone": "Europe/Berlin"})
connecting.connect(model, "feed", {})
for text in TEXTS[:3]: approve(model, text)
print("MODEL", model.pk)
"""


@pytest.fixture(scope="module")
def quinn(browser: Browser, product: Product, founder: Person) -> Iterator[tuple[Person, str]]:
    """Somebody with a bot, and the address of its queue."""
    with Person(browser, product, "quinn", viewport={"width": 1280, "height": 1600}) as person:
        person.sign_up_or_in()
        number = product.manage("shell", "-c", ROWS).stdout.partition("MODEL ")[2].strip()
        yield person, f"/models/{number}/publish/"


def test_proposals_appear_as_they_are_written_and_writing_can_be_cancelled(quinn: tuple[Person, str]) -> None:
    person, address = quinn
    person.open(address)
    page = person.page
    write, status = page.get_by_role("button", name="Write proposals"), page.locator("[data-progress]")
    write.click()
    expect(status).to_have_text(re.compile(r"\d new proposals?\."))
    count = page.locator("#proposal-list [data-proposal]").count()
    assert count >= 1
    write.click()
    page.get_by_role("button", name="Cancel").click()
    expect(status).to_have_text(re.compile(r"Cancelled\.|\d new proposals?\."))
    person.require_no_complaints()


def test_a_waiting_post_is_moved_by_keys_by_mouse_and_back_by_a_button(quinn: tuple[Person, str]) -> None:
    person, address = quinn
    person.open(f"{address}?week=#queue")
    page = person.page
    card = page.locator("[data-move]").first
    number = card.get_attribute("id")
    began = card.get_attribute("data-at")
    card.press("ArrowDown")
    moved = page.locator(f"#{number}")
    expect(moved).not_to_have_attribute("data-at", began or "")
    expect(moved).to_be_focused()
    slot = page.locator("[data-slot]").last
    at = slot.get_attribute("data-slot") or ""
    start, end = moved.bounding_box(), slot.bounding_box()
    assert start is not None and end is not None
    page.mouse.move(start["x"] + 30, start["y"] + 12)
    page.mouse.down()
    page.mouse.move(end["x"] + 10, end["y"] + 10, steps=5)
    page.mouse.up()
    expect(moved).to_have_attribute("data-at", at)
    moved.locator("summary").click()
    moved.get_by_role("button", name="To the next free slot").click()
    expect(page.get_by_text(re.compile("Moved to")).first).to_be_visible()
    person.require_no_complaints()
