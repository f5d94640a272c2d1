"""Point 1: sign up, and a dashboard that says what comes next. Runs first: the product has no accounts yet."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.e2e.person import Person
from tests.product import Product


def test_a_stranger_sees_what_it_is_and_how_to_get_in(browser: Browser, product: Product) -> None:
    with Person(browser, product, "charlie") as charlie:
        charlie.open("/")
        expect(charlie.page.get_by_role("main").get_by_role("link", name="Sign up")).to_be_visible()
        expect(charlie.page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
        charlie.require_no_complaints()


def test_the_first_account_is_administrator_and_is_told_what_to_do_next(alice: Person) -> None:
    main = alice.page.get_by_role("main")
    expect(main.get_by_role("listitem")).to_have_count(3)
    expect(main.get_by_text("you are the administrator")).to_be_visible()
    main.get_by_role("link", name="New bot").click()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("New bot")
    expect(main.get_by_text("you are the administrator")).to_be_visible()
    alice.page.get_by_role("link", name="Admin").click()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_the_second_account_is_an_ordinary_one(bob: Person) -> None:
    expect(bob.page.get_by_role("link", name="Admin")).to_have_count(0)
    expect(bob.page.get_by_role("main").get_by_role("button", name="Import her posts")).to_be_visible()
    bob.require_no_complaints()


def test_logging_out_is_a_button_in_the_menu(bob: Person) -> None:
    bob.page.locator("summary", has_text="bob").click()
    bob.page.get_by_role("button", name="Sign out").click()
    expect(bob.page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
