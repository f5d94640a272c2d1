"""The way of a new bot: few clicks on two pages, and nothing that somebody typed gets lost."""

from __future__ import annotations

import re

from django.conf import settings
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.conftest import PASSWORD
from tests.e2e.conftest import Shelf
from tests.e2e.person import CORPUS, JOB, MODEL, SECONDS, TRAINING, Person
from tests.product import Product

PHONE = {"width": 390, "height": 844}


def test_from_sign_up_to_first_posts_it_takes_at_most_five_clicks_and_two_pages(
    browser: Browser, product: Product, founder: Person
) -> None:
    with Person(browser, product, "nora", viewport=PHONE) as nora:
        page = nora.page
        nora.open("/")
        page.get_by_role("main").get_by_role("link", name="Sign up").click()
        page.get_by_label("Username").fill("nora")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password (again)").fill(PASSWORD)
        documents: list[str] = []
        page.on("domcontentloaded", lambda loaded: documents.append(loaded.title()))
        clicks = 0

        def click(target: Locator) -> None:
            nonlocal clicks
            clicks += 1
            target.click()

        click(page.get_by_role("button", name="Sign up"))
        click(page.get_by_role("button", name="Import her posts"))
        page.wait_for_url(CORPUS)
        expect(nora.figure("kept")).to_have_text("463")
        require_in_sight(page, page.get_by_role("button", name="Make the bot"))
        page.get_by_label("Epochs").fill("1")
        click(page.get_by_role("button", name="Make the bot"))
        page.wait_for_url(JOB)
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        page.wait_for_url(MODEL, timeout=TRAINING)
        expect(page.locator("#generation .post p").first).to_be_visible(timeout=60 * SECONDS)
        assert documents == ["New bot · Bot Factory", "Mrs. Kettle · Bot Factory"]
        assert clicks <= 5
        # Back leads to the posts, not through what has already happened.
        page.go_back()
        page.wait_for_url(CORPUS)
        expect(nora.figure("kept")).to_have_text("463")
        nora.require_no_complaints()


def test_one_click_on_the_front_page_lets_a_bot_write_and_a_sign_up_keeps_it(
    browser: Browser, product: Product, founder: Person
) -> None:
    with Person(browser, product, "vera", viewport=PHONE) as vera:
        page = vera.page
        vera.open("/")
        page.get_by_role("button", name="Try it with an example").click()
        expect(page.get_by_role("heading", name="Her posts")).to_be_visible(timeout=60 * SECONDS)
        expect(page.locator("#generation .post p").first).to_be_visible(timeout=TRAINING)
        page.get_by_role("link", name="Sign up").last.click()
        page.get_by_label("Username").fill("vera")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password (again)").fill(PASSWORD)
        page.get_by_role("button", name="Sign up").click()
        page.wait_for_url("**/corpora/new")
        vera.open("/models/")
        expect(page.get_by_role("link", name="Mrs. Kettle").first).to_be_visible()
        vera.require_no_complaints()


def require_in_sight(page: Page, target: Locator) -> None:
    expect(target).to_be_in_viewport()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    expect(target).to_be_in_viewport()


def test_what_was_typed_is_there_again_until_it_is_sent_or_the_person_signs_out(
    browser: Browser, product: Product, founder: Person
) -> None:
    with Person(browser, product, "emil") as emil:
        emil.sign_up_or_in()
        page = emil.page
        text, name = page.get_by_label("Posts, one on each line"), page.get_by_label("Name", exact=False).last
        emil.open("/corpora/new")
        page.get_by_label("Pasted text").check()
        text.fill("A post of mine\nAnother one")
        name.fill("Of today")
        page.get_by_label("My own account").check()
        page.reload()
        expect(text).to_have_value("A post of mine\nAnother one")
        expect(name).to_have_value("Of today")
        emil.open("/jobs/")
        emil.open("/corpora/new")
        expect(text).to_be_visible()
        expect(text).to_have_value("A post of mine\nAnother one")
        expect(page.get_by_label("My own account")).to_be_checked()
        # Once sent, a new form is empty.
        page.get_by_role("button", name="Import posts").click()
        page.wait_for_url(CORPUS)
        page.get_by_role("link", name="Posts", exact=True).first.click()
        page.get_by_role("link", name="Import posts").click()
        expect(name).to_have_value("")
        name.fill("For nobody else")
        page.locator("summary", has_text="emil").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
        assert page.evaluate("Object.keys(localStorage)") == []
        emil.require_no_complaints()


def test_rules_that_were_sent_after_the_end_of_the_session_are_there_again(alice: Person, shelf: Shelf) -> None:
    with alice.other_device() as desk:
        page = desk.page
        desk.open(f"{shelf.corpus}clean")
        page.get_by_label("Banned words").fill("sourdough")
        desk.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
        page.get_by_role("button", name="Clean all posts again").click()
        page.get_by_label("Username").fill(desk.name)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{shelf.corpus}clean")
        expect(page.get_by_label("Banned words")).to_have_value("sourdough")
        desk.require_no_complaints()


def test_an_instant_bot_that_is_refused_says_why_beside_other_bots(alice: Person, shelf: Shelf) -> None:
    alice.open(shelf.corpus)
    page = alice.page
    page.get_by_label("Name of the bot").fill("Refused")
    # Only products with a fluent base offer it. The server refuses it here.
    page.locator("#train-form").evaluate("form => { form.action += 'instant' }")
    page.get_by_role("button", name="Make the bot").click()
    expect(page.locator("[data-form-errors]")).to_be_visible()
    assert page.url == shelf.corpus
    expect(page.get_by_label("Name of the bot")).to_have_value("Refused")
    page.get_by_label("Name of the bot").fill("")


def test_a_switch_shows_what_it_would_do_and_then_does_it(alice: Person) -> None:
    posts = [f"Number {number} of my little notes about the town and its weather" for number in range(150)]
    page, late = alice.page, list[Route]()
    # Whoever is quick changes a switch before the page's own module has come.
    page.route(re.compile(r"/js/train-form\."), lambda route: late.append(route), times=1)
    alice.paste([*posts, "@somebody a reply that isn’t kept at first"], "With a reply")
    page.get_by_label("Keep replies").check()
    expect(page.locator("#tried")).to_contain_text("a reply that isn’t kept at first")
    assert late
    for route in late:
        route.continue_()
    expect(page.get_by_text("The rules that you changed aren’t used yet.")).to_be_visible()
    kept = int(alice.figure("kept").inner_text())
    page.locator("#tried").get_by_role("button", name="Clean all posts again").click()
    page.wait_for_url(JOB)
    alice.wait_for_corpus()
    expect(alice.figure("kept")).to_have_text(str(kept + 1))
    expect(page.get_by_label("Keep replies")).to_be_checked()
