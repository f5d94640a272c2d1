"""A bot writes on a phone with the network cut, as it does on the server, and goes when its person signs out."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect

from tests.e2e.conftest import Shelf
from tests.e2e.person import Person
from tests.fakes.hanging_line import HangingLine
from tests.product import Product, wait_for

SEED = 11


def write(page: Page) -> list[str]:
    """Let the bot of the page write with the seed, and return the posts in the order in which they ended."""
    expect(page.locator("#in-browser-status")).to_have_text("Ready. It writes in this browser.")
    expect(page.locator("#in-browser-kept")).to_contain_text("This browser keeps the bot.")
    # WebAssembly is allowed for the worker alone.
    expect(page.locator("#in-browser-form")).to_have_attribute("data-vectors", "true")
    page.get_by_text("More settings").click()
    page.get_by_label("Seed").fill(str(SEED))
    page.get_by_role("button", name="Write").click()
    expect(page.locator("#in-browser-status")).to_contain_text("posts in")
    return shown(page)


def shown(page: Page) -> list[str]:
    return page.locator("#in-browser-posts .post-body > p").all_text_contents()


def token_of(person: Person) -> str:
    return next(cookie["value"] for cookie in person.context.cookies() if cookie["name"] == "csrftoken")


def on_the_server(person: Person, model: str) -> list[str]:
    answer = person.context.request.post(
        f"/api/v1/models/{model}/generate", data={"n": 10, "seed": SEED}, headers={"X-CSRFToken": token_of(person)}
    )
    assert answer.ok, answer.text()
    posts: list[str] = answer.json()["posts"]
    return posts


def kept(page: Page) -> Any:
    """Return the number of bots that the browser keeps, and of its service workers."""
    return page.evaluate(
        "async () => [(await caches.keys()).length, (await navigator.serviceWorker.getRegistrations()).length]"
    )


def let_others_take_along(owner: Person, shelf: Shelf, visibility: str) -> None:
    form: dict[str, str | float | bool] = {"visibility": visibility, "tags": "", "in_browser": "yes"}
    form["csrfmiddlewaretoken"] = token_of(owner)
    answer = owner.context.request.post(f"{shelf.model}share", form=form)
    assert answer.ok, answer.text()


def test_a_shared_bot_goes_from_a_browser_when_its_owner_makes_it_private(
    founder: Person, bob: Person, shelf: Shelf
) -> None:
    let_others_take_along(founder, shelf, "public")
    place = f"{shelf.model}browser/".replace("/models/", "/gallery/")
    bob.open(place)
    expect(bob.page.locator("#in-browser-kept")).to_contain_text("This browser keeps the bot.")
    assert kept(bob.page) == [1, 1]
    bob.page.get_by_role("button", name="Remove from this browser").press("Enter")
    expect(bob.page.get_by_role("button", name="Write")).to_be_focused()
    wait_for("the bot to go", lambda: kept(bob.page) == [0, 0])
    bob.open(place)
    wait_for("the bot to come again", lambda: kept(bob.page) == [1, 1])
    let_others_take_along(founder, shelf, "private")
    assert bob.open(place).status == 404
    wait_for("the bot to go", lambda: kept(bob.page) == [0, 0])


def test_a_bot_writes_on_a_phone_with_the_network_cut(
    browser: Browser, product: Product, founder: Person, shelf: Shelf
) -> None:
    options: dict[str, Any] = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}
    with Person(browser, product, founder.name, **options) as phone:
        phone.sign_up_or_in()
        page, place = phone.page, f"{shelf.model}browser/"
        phone.open(place)
        posts = write(page)
        model = shelf.model.rstrip("/").rpartition("/")[2]
        assert sorted(posts) == sorted(on_the_server(phone, model)) and len(posts) == 10
        page.get_by_label("How many").fill("100")
        # At once: so small a bot has written a hundred posts before Playwright could press the second button.
        page.get_by_role("button", name="Write").evaluate(
            """write => {
                write.click();
                const stop = document.getElementById("in-browser-stop");
                stop.focus();
                stop.click();
            }"""
        )
        expect(page.locator("#in-browser-status")).to_have_text("Stopped.")
        expect(page.get_by_role("button", name="Write")).to_be_focused()
        phone.require_no_complaints()

        phone.context.set_offline(True)
        page.goto(place)
        assert write(page) == posts
        for other in (shelf.model, "/models/"):
            with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
                page.goto(other)
        phone.context.set_offline(False)

        phone.open("/models/")
        assert kept(page) == [1, 1]
        page.locator("[data-menu] > summary").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
        wait_for("the bot to go", lambda: kept(page) == [0, 0])


def test_a_page_says_that_it_keeps_the_bot_once_it_does(founder: Person, shelf: Shelf) -> None:
    held: list[Route] = []
    with founder.other_device() as phone:
        page, told = phone.page, phone.page.locator("#in-browser-kept")
        page.route("**/weights?*", lambda route: held.append(route))
        phone.open(f"{shelf.model}browser/")
        of_worker = "async () => Boolean(await caches.match(new URL('worker.js', location.href)))"
        wait_for("the page to be kept", lambda: page.evaluate(of_worker) and held)
        page.wait_for_timeout(1000)
        expect(told).to_contain_text("Your browser downloads it only once.")
        held[0].continue_()
        expect(told).to_contain_text("This browser keeps the bot.")


def test_a_bot_writes_while_the_server_hangs(browser: Browser, product: Product, founder: Person, shelf: Shelf) -> None:
    with HangingLine(product.port) as line, founder.other_device() as phone:
        place = f"{shelf.model}browser/".replace(f":{product.port}/", f":{line.port}/")
        phone.open(place)
        expect(phone.page.locator("#in-browser-kept")).to_contain_text("This browser keeps the bot.")
        posts = write(phone.page)
        line.hangs.set()
        phone.open(place)
        expect(phone.page.locator("#in-browser-status")).to_have_text("Ready. It writes in this browser.")
        phone.page.get_by_text("More settings").click()
        phone.page.get_by_label("Seed").fill(str(SEED))
        phone.page.get_by_role("button", name="Write").click()
        expect(phone.page.locator("#in-browser-status")).to_contain_text("posts in")
        assert shown(phone.page) == posts


def with_a_missing_file(route: Route) -> None:
    """Answer with the page of a bot that is large enough for two files, the exact one of which is gone."""
    answer = route.fetch()
    page = answer.text().replace('"exact": null', '"exact": "weights?version=gone"')
    box = '<label><input type="checkbox" id="id_exact"> Exactly as on the server</label></form>'
    route.fulfill(response=answer, body=page.replace("</form>", box, 1))


def test_a_file_that_cannot_be_loaded_leaves_the_bot_and_its_posts(founder: Person, shelf: Shelf) -> None:
    with founder.other_device() as phone:
        page = phone.page
        page.route("**/browser/", with_a_missing_file)
        phone.open(f"{shelf.model}browser/")
        posts = write(page)
        exact = page.get_by_label("Exactly as on the server")
        exact.click()
        expect(page.locator(".toast.error")).to_contain_text("The bot writes with the other one.")
        expect(exact).not_to_be_checked()
        assert shown(page) == posts
        page.get_by_label("Seed").fill("12")
        page.get_by_role("button", name="Write").click()
        expect(page.locator("#in-browser-posts .post")).to_have_count(10)
        assert shown(page) != posts
