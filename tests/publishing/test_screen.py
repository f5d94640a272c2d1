"""The screen where people decide, in Chromium: by keys at a desk, by thumb on a phone, and while the server is slow."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from models_app.bots.rows import TrainedModel
from models_app.writing.rows import Generation
from publishing.models import Account, Proposal, Queue
from tests.e2e.conftest import ARGUMENTS, chromium
from tests.e2e.test_with_axe import AXE, FIND
from tests.product import wait_for
from tests.publishing.test_taste import texts

pytestmark = pytest.mark.django_db(transaction=True)

POSTS = texts(20, seed=7)
#: Answers to decisions come so late, in milliseconds.
SLOW = """const now = window.fetch;
window.fetch = async (where, options) => {
  if (options?.method === "POST") await new Promise((done) => setTimeout(done, 1000));
  return now(where, options);
};"""
SMALL = """() => [...document.querySelectorAll(".deciding :is(button, a, .face)")]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.textContent.trim(), each.getBoundingClientRect()])
  .filter(([_, {width, height}]) => Math.min(width, height) < 44).map(([name]) => name)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("No Chromium on this machine: install one, or name it in PLAYWRIGHT_CHROMIUM.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright has an event loop in this thread, where tests look at the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def address(model: TrainedModel, queue: Queue, feed: Account, live_server: Any, settings: Any) -> str:
    """The page of a bot that proposes twenty posts."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    assert model.owner is not None
    generation = Generation.objects.create(model=model, owner=model.owner, posts=POSTS, seconds=1)
    for number, text in enumerate(POSTS):
        Proposal.objects.create(queue=queue, generation=generation, number=number, written=text, text=text)
    return f"{live_server.url}{reverse('queue', args=[model.pk])}"


@pytest.fixture
def session(model: TrainedModel, client: Client, settings: Any, live_server: Any) -> dict[str, str]:
    assert model.owner is not None
    client.force_login(model.owner)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": live_server.url}


@pytest.fixture
def desk(browser: Browser, session: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    yield from opened(context, session)


@pytest.fixture
def phone(browser: Browser, session: Any) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, reduced_motion="reduce"
    )
    yield from opened(context, session)


def opened(context: BrowserContext, session: Any) -> Iterator[Page]:
    """Yield a page of alice, on which the browser complains about nothing."""
    context.add_cookies([session])
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    # The last look at the list of what waits comes a moment later.
    page.wait_for_timeout(1000)
    page.wait_for_load_state("networkidle")
    context.close()
    assert complaints == []


def states() -> dict[str, tuple[str, str]]:
    """Return what was decided about each text, and why."""
    rows = Proposal.objects.values_list("text", "state", "reason")
    return {text: (state, reason) for text, state, reason in rows}


def current(page: Page) -> Any:
    return page.locator("[data-proposal][aria-current]")


def swipe(page: Page, by: int) -> None:
    """Move a finger over the open post."""
    box = current(page).locator("[data-face]").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger = page.context.new_cdp_session(page)
    for kind, share in (("touchStart", 0.0), ("touchMove", 0.3), ("touchMove", 0.7), ("touchMove", 1.0)):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x + by * share, "y": y}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_twenty_posts_in_forty_seconds_by_keys_alone_while_the_server_is_slow(desk: Page, address: str) -> None:
    desk.add_init_script(SLOW)
    desk.goto(address)
    begun = time.monotonic()
    press = desk.keyboard.press
    for number, text in enumerate(POSTS):
        expect(current(desk)).to_contain_text(text)
        if number == 3:
            press("w")
            expect(current(desk).locator(".why")).to_be_visible()
        if number == 5:
            press("e")
            desk.keyboard.type("so there ")
            press("Control+Enter")
        elif text.endswith("?"):
            press("r")
            press("1")
        else:
            press("a")
    expect(desk.get_by_text("No proposals are waiting for you.")).to_be_visible()
    assert time.monotonic() - begun < 40
    wait_for("all decisions", lambda: "proposed" not in {state for state, _ in states().values()})
    wait_for("all reasons", lambda: Proposal.objects.filter(state="rejected", reason="").count() == 0)
    expected = {text: ("rejected", "sense") if text.endswith("?") else ("approved", "") for text in POSTS}
    edited = POSTS[5]
    del expected[edited]
    assert {text: found for text, found in states().items() if text in expected} == expected
    assert Proposal.objects.get(written=edited).text.count("so there") == 1
    expect(desk.locator("#queue .week")).to_be_attached()


def test_a_thumb_decides_by_buttons_and_swipes_and_each_target_is_large_enough(phone: Page, address: str) -> None:
    phone.goto(address)
    phone.get_by_role("button", name="Reject post 1", exact=True).tap()
    expect(current(phone)).to_contain_text(POSTS[1])
    reason = phone.get_by_role("button", name="Not like me")
    reason.tap()
    expect(reason).to_have_attribute("aria-pressed", "true")
    assert phone.evaluate(SMALL) == []
    swipe(phone, 40)
    expect(current(phone)).to_contain_text(POSTS[1])
    swipe(phone, 180)
    expect(current(phone)).to_contain_text(POSTS[2])
    expect(phone.locator("[data-said]")).to_have_text(re.compile("Approved for"))
    swipe(phone, -180)
    expect(current(phone)).to_contain_text(POSTS[3])
    wait_for("the decisions", lambda: [states()[text][0] for text in POSTS[:3]] == ["rejected", "approved", "rejected"])
    wait_for("the reason", lambda: states()[POSTS[0]][1] == "voice")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390


def test_what_fails_comes_back_with_the_reason_and_loses_nothing(desk: Page, address: str) -> None:
    desk.goto(address)
    desk.context.set_offline(True)
    desk.keyboard.press("a")
    card = desk.locator("[data-proposal]", has_text=POSTS[0])
    expect(card.get_by_role("alert")).to_contain_text("That didn’t work")
    expect(current(desk)).to_contain_text(POSTS[1])
    desk.context.set_offline(False)
    # It's the next one now.
    desk.keyboard.press("j")
    expect(current(desk)).to_contain_text(POSTS[0])
    desk.keyboard.press("e")
    desk.keyboard.type("hey @somebody@example.social ")
    desk.keyboard.press("Control+Enter")
    expect(card.get_by_role("alert")).to_contain_text("It mentions somebody")
    assert states()[POSTS[0]] == ("proposed", "")
    expect(card.locator("textarea")).to_have_value(re.compile("hey @somebody@example.social"))
    card.click()
    card.locator("textarea").fill("a wholly different sentence about marmalade")
    desk.keyboard.press("Control+Enter")
    wait_for("the edited post", lambda: Proposal.objects.filter(state="approved", text__contains="different").exists())
    expect(card).to_be_hidden()


def test_each_decision_can_be_taken_back(desk: Page, address: str) -> None:
    desk.add_init_script(SLOW)
    desk.goto(address)
    for key in ("a", "r", "z", "z"):
        desk.keyboard.press(key)
    expect(current(desk)).to_contain_text(POSTS[0])
    expect(desk.locator("[data-to-decide]")).to_have_text("20 posts to decide")
    # The last word counts, although the first answers aren't there yet.
    desk.keyboard.press("r")
    wait_for("the last word", lambda: states()[POSTS[0]] == ("rejected", ""))
    wait_for("the other one", lambda: states()[POSTS[1]] == ("proposed", ""))
    desk.keyboard.press("z")
    wait_for("that, too", lambda: states()[POSTS[0]] == ("proposed", ""))
    assert current(desk).evaluate("card => card === document.activeElement")


def test_a_near_copy_asks_and_the_second_yes_counts(desk: Page, address: str) -> None:
    Proposal.objects.filter(text=POSTS[1]).update(text=POSTS[0], written=POSTS[0])
    desk.goto(address)
    desk.keyboard.press("a")
    wait_for("the first", lambda: Proposal.objects.filter(state="approved").count() == 1)
    desk.keyboard.press("a")
    card = desk.locator("[data-proposal]:not([hidden])", has_text=POSTS[0])
    expect(card.get_by_role("alert")).to_contain_text("nearly the same")
    desk.keyboard.press("j")
    desk.keyboard.press("a")
    wait_for("the second", lambda: Proposal.objects.filter(state="approved").count() == 2)


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
def test_axe_finds_nothing_while_people_decide_or_connect(
    browser: Browser, session: Any, address: str, language: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core isn't installed: make node_modules/.ready-dev")
    context = browser.new_context(locale=language, reduced_motion="reduce", bypass_csp=True)
    context.add_cookies([session])
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto(address)
    page.keyboard.press("r")
    page.keyboard.press("w")
    page.keyboard.press("e")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert page.evaluate(FIND, ["html", None]) == []
    page.wait_for_timeout(1000)
    page.wait_for_load_state("networkidle")
    for place in ("bluesky", "mastodon"):
        page.goto(f"{address}connect/{place}")
        assert page.evaluate(FIND, ["html", None]) == []
    context.close()
