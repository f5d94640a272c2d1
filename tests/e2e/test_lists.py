"""A long list of things with long names, on a phone and on a wide screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.person import Person
from tests.e2e.test_every_page import require_fit
from tests.e2e.test_parts import BUSY, busy
from tests.product import Product

ROWS = """
from botfactory.accounts.models import User
from botfactory.jobs.models import Job
common = {"owner": User.objects.get(username="dora"), "kind": "import", "queue": "nowhere"}
failed = {"state": "failed", "error_code": "bad_answer", "error_message": "It is no list of posts. " * 13}
Job.objects.bulk_create(Job(title="Import " + "w" * 193, **failed, **common) for _ in range(60))
Job.objects.create(title="Import " + "w" * 193, state="queued", **common)
"""


@pytest.fixture(scope="module")
def dora(browser: Browser, product: Product, founder: Person) -> Iterator[Person]:
    """Somebody with 61 jobs whose titles have 200 letters; 60 have failed, with errors of 300."""
    with Person(browser, product, "dora") as person:
        person.sign_up_or_in()
        product.manage("shell", "-c", ROWS)
        yield person


@pytest.mark.parametrize(("width", "least"), [(360, 200), (1280, 500)])
def test_long_titles_beside_long_errors_stay_readable(dora: Person, width: int, least: int) -> None:
    with dora.other_device(viewport={"width": width, "height": 800}) as device:
        device.open("/jobs/")
        titles = device.page.locator(".rows > li > a, .job-head > a")
        expect(titles).to_have_count(25)
        widths = titles.evaluate_all("titles => titles.map((title) => title.getBoundingClientRect().width)")
        assert min(widths) > least
        require_fit(device)
        device.require_no_complaints()


def test_the_pages_of_a_list_are_turned_by_keyboard(dora: Person) -> None:
    dora.open("/jobs/")
    for place in ("26–50 of 61", "51–61 of 61"):
        dora.page.get_by_role("link", name="Next page").focus()
        dora.page.keyboard.press("Enter")
        expect(dora.page.get_by_role("navigation", name="Pages")).to_contain_text(place)
    dora.require_no_complaints()


def test_the_list_answers_while_somebody_types_or_chooses(dora: Person) -> None:
    dora.open("/jobs/")
    page = dora.page
    page.get_by_label("State").select_option("active")
    expect(page.locator("#found-count")).to_contain_text("1 job.")
    expect(page.locator("[data-live-job]")).to_have_count(1)
    assert page.url.endswith("/jobs/?state=active")
    search = page.get_by_label("Title")
    search.press_sequentially("nothing like this")
    expect(page.locator("#found")).to_contain_text("Nothing matches.")
    # Whoever types goes on typing, and a reload shows the same.
    expect(search).to_be_focused()
    page.reload()
    expect(search).to_have_value("nothing like this")
    expect(page.locator("#found")).to_contain_text("Nothing matches.")
    dora.require_no_complaints()


def test_a_list_stays_while_the_server_is_busy(dora: Person) -> None:
    with dora.other_device() as desk:
        desk.open("/jobs/")
        desk.page.route("**/jobs/?*", busy)
        desk.page.get_by_label("Title").press_sequentially("nothing")
        expect(desk.page.locator("#messages .note")).to_have_text(BUSY)
        expect(desk.page.locator("#found .rows > li").first).to_be_visible()


def test_a_list_of_the_administration_has_menus_of_filters_and_actions_for_what_is_chosen(
    dora: Person, founder: Person
) -> None:
    with founder.other_device() as desk:
        desk.open("/admin/jobs/job/?q=dora")
        page = desk.page
        action = page.get_by_role("button", name="Go")
        expect(action).to_be_hidden()
        page.locator(".action-select").first.check()
        expect(action).to_be_visible()
        states = page.locator(".filter").filter(has_text="State")
        states.locator("summary").click()
        expect(states.get_by_role("link", name="Failed")).to_be_visible()
        page.keyboard.press("Escape")
        expect(states.get_by_role("link", name="Failed")).to_be_hidden()
        expect(states.locator("summary")).to_be_focused()
        page.keyboard.press("Enter")
        states.get_by_role("link", name="Waiting").click()
        expect(states.locator("summary")).to_contain_text("Waiting")
        expect(page.locator(".paginator")).to_contain_text(re.compile(r"\b1 job\b"))
        desk.require_no_complaints()


@pytest.mark.parametrize(
    ("changed", "line"),
    [({}, "Epoch 2 of 9, "), ({"stop_requested": True}, "Stopping"), ({"state": "cancelling"}, "Stopping")],
)
def test_the_card_of_a_training_that_ends_early_says_nothing_of_the_whole(
    dora: Person, changed: dict[str, object], line: str
) -> None:
    progress = {"phase": "training", "epoch": 2, "epochs": 9, "fraction": 0.2, "seconds_left": 60}
    job = {"state": "running", "stop_requested": False, "last_sequence": 0, "progress": progress, **changed}
    page = dora.new_page()
    page.route_web_socket("**/ws/**", lambda socket: socket.send(json.dumps({"job": job, "events": []})))
    page.goto("/jobs/?state=active")
    card = page.locator("[data-live-job]")
    expect(card.locator("[data-live-text]")).to_have_text(re.compile(f"^{line}"))
    assert (card.locator("progress").get_attribute("value") is None) == (line == "Stopping")
