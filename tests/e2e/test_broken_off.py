"""When an answer breaks off or is refused, people keep what they have, and read why where they look."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.conftest import PASSWORD
from tests.e2e.conftest import Shelf
from tests.e2e.person import Person
from tests.e2e.test_parts import BUSY, busy
from tests.product import Product

LOST = "The connection was lost before all posts were written. Try again."
UNREACHED = "Can’t reach the server. Try again."
UNSAVED = "The posts above aren’t saved. Copy those that you like."


def cut(route: Route, *, last: dict[str, object] | None = None) -> None:
    """Answer with the whole posts of the real answer, the beginning of another, and this last line."""
    answer = route.fetch()
    said = [json.loads(line) for line in answer.text().splitlines()]
    lines = [line for line in said if "post" in line] + [{"beginnings": {"7": "A post that never"}}]
    lines += [] if last is None else [last]
    route.fulfill(response=answer, body="".join(f"{json.dumps(line)}\n" for line in lines))


def write(person: Person, count: int) -> Locator:
    person.page.get_by_label("How many").fill(str(count))
    person.page.get_by_role("button", name="Write", exact=True).press("Enter")
    return person.page.locator("#generation")


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (None, LOST),
        ({"error": {"html": '<div class="note error" role="alert"><p>Not now.</p></div>'}}, "Not now."),
    ],
)
def test_whole_posts_stay_when_the_writing_breaks_off(desk: Person, last: dict[str, object] | None, why: str) -> None:
    desk.open_base()
    desk.page.route("**/generate", lambda route: cut(route, last=last))
    generation = write(desk, 2)
    expect(generation.get_by_role("alert")).to_have_text(why)
    expect(generation.locator(".post")).to_have_count(2)
    expect(generation).not_to_contain_text("A post that never")
    expect(generation.get_by_text(UNSAVED)).to_be_visible()
    desk.page.unroute("**/generate")
    expect(write(desk, 1).locator("[data-seed]")).to_have_count(1)
    expect(generation.get_by_role("alert")).to_have_count(0)


def refused(route: Route) -> None:
    words = '<div class="note error" role="alert"><p>No room.</p></div>'
    route.fulfill(status=400, body=words, content_type="text/html")


def test_earlier_posts_stay_below_the_reason_why_none_is_written(desk: Person) -> None:
    page = desk.page
    desk.open_base()
    generation = write(desk, 1)
    expect(generation.locator("[data-seed]")).to_have_count(1)
    expect(generation.locator(".post")).to_have_count(1)
    earlier = generation.locator(".post p").all_inner_texts()
    status, alert = page.locator("form[data-writes] [role=status]"), generation.get_by_role("alert")
    fails: list[tuple[Callable[[Route], None], str]] = [
        (lambda route: route.abort(), UNREACHED),
        (refused, "No room."),
        (lambda route: route.fulfill(content_type="application/x-ndjson", body=""), LOST),
    ]
    for fail, why in fails:
        page.route("**/generate", fail)
        write(desk, 2)
        expect(generation.locator(":scope > :first-child")).to_have_text(why)
        expect(alert).to_have_count(1)
        expect(status).to_have_text("")
        assert generation.locator(".post p").all_inner_texts() == earlier
        expect(generation.get_by_text(UNSAVED)).to_have_count(0)
        page.unroute("**/generate")
    page.route("**/generate", lambda route: route.abort())
    page.get_by_role("button", name="Three temperatures").press("Enter")
    expect(alert).to_have_count(3)
    assert generation.locator(".post p").all_inner_texts() == earlier
    page.unroute("**/generate")
    keep = page.get_by_role("button", name="Keep post 1", exact=True)
    kept = page.get_by_role("button", name="Kept: post 1", exact=True)
    keep.press("Enter")
    expect(page.locator(".toast")).to_have_count(1)
    # Other tests count what is kept.
    kept.press("Enter")
    expect(keep).to_be_visible()
    page.get_by_role("link", name="Why post 1?").press("Enter")
    expect(page.locator("[data-below-place]")).not_to_be_empty()
    page.get_by_role("button", name="More posts").press("Enter")
    expect(generation.locator("[data-seed]")).to_have_count(2)
    expect(alert).to_have_count(0)


def opening(route: Route) -> None:
    """Answer with the page, as if the bot hadn't written yet."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace("data-writes", "data-writes data-opening"))


def test_a_page_that_cannot_write_when_it_opens_stays_as_it_was(desk: Person, shelf: Shelf) -> None:
    page = desk.page
    desk.open(shelf.model)
    posts = page.locator("#generation .post p")
    expect(page.locator("#generation [data-seed]")).to_have_count(1)
    before = posts.all_text_contents()
    page.route(shelf.model, opening)
    page.route("**/generate", lambda route: route.abort())
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/generate")):
        desk.open(shelf.model)
    expect(page.locator("#generation .waiting")).to_have_count(0)
    assert posts.all_text_contents() == before != []


def test_a_job_page_stays_when_its_button_does_not_reach_the_server(desk: Person, shelf: Shelf) -> None:
    job = desk.train(shelf.corpus, epochs=10, name="Not reached")
    desk.open(job)
    cancel = desk.page.get_by_role("button", name="Cancel", exact=True)
    desk.page.route("**/cancel", lambda route: route.abort())
    # A training that runs would ask first.
    desk.page.evaluate("() => { for (const form of document.forms) delete form.dataset.asks }")
    cancel.press("Enter")
    expect(desk.page.locator(".toast.error")).to_contain_text(UNREACHED)
    assert desk.page.url == job
    expect(cancel).to_be_focused()
    desk.page.unroute("**/cancel")
    desk.cancel()


def test_a_job_page_announces_that_it_no_longer_follows(desk: Person, shelf: Shelf) -> None:
    desk.page.route_web_socket("**/ws/**", lambda socket: socket.close())
    desk.page.route("**/events?*", lambda route: route.fulfill(status=404, body=""))
    desk.open(shelf.job)
    gone = "This job was deleted, or you’ve been signed out. Reload the page."
    expect(desk.page.locator("#announcer")).to_have_text(gone)


def test_a_job_page_says_whether_it_still_reaches_the_server(desk: Person, shelf: Shelf) -> None:
    page, sockets = desk.page, [False]
    line = page.locator("#line")
    page.route_web_socket("**/ws/**", lambda socket: socket.connect_to_server() if sockets[-1] else socket.close())
    page.route("**/events?*", lambda route: route.abort())
    desk.open(shelf.job)
    expect(line).to_have_text("Can’t reach the server. Trying again…")
    expect(page.locator("#announcer")).to_have_text("Can’t reach the server. Trying again…")
    # It goes on saying so while both the socket and the polls fail.
    page.wait_for_timeout(4_000)
    expect(line).to_have_text("Can’t reach the server. Trying again…")
    page.unroute("**/events?*")
    expect(line).to_have_text("Live connection lost. Updating every few seconds instead.")
    sockets.append(True)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(line).to_be_hidden()


def test_a_refused_change_is_answered_where_somebody_looks(alice: Person, shelf: Shelf) -> None:
    with alice.other_device(viewport={"width": 360, "height": 640}) as phone:
        page = phone.page
        phone.open(shelf.corpus)
        page.route("**/clean", lambda route: busy(route) if route.request.method == "POST" else route.continue_())
        page.locator("form.switches input[type=checkbox]").last.press("Space")
        error = page.locator(".toast.error")
        expect(error).to_contain_text(BUSY)
        expect(error).to_be_in_viewport()
        expect(page.locator("#messages .note")).to_have_count(0)


def test_keeping_a_post_says_what_the_server_says(desk: Person) -> None:
    desk.open_base()
    expect(write(desk, 1).locator("[data-seed]")).to_have_count(1)
    desk.page.route("**/keep", busy)
    desk.page.route("**/why?*", busy)
    desk.page.get_by_role("button", name="Keep post 1", exact=True).press("Enter")
    expect(desk.page.locator(".toast.error")).to_contain_text(BUSY)
    desk.page.get_by_role("link", name="Why post 1?").press("Enter")
    expect(desk.page.locator("[data-below-place]")).to_have_text(BUSY)


def test_drafts_go_with_the_account_and_only_then(browser: Browser, product: Product, founder: Person) -> None:
    with Person(browser, product, "ida") as ida:
        ida.sign_up_or_in()
        page = ida.page
        ida.open("/corpora/new")
        page.get_by_label("Pasted text").check()
        text = page.get_by_label("Posts, one on each line")
        text.fill("A post of mine")
        ida.open("/account/delete")
        password, delete = page.get_by_label("Password"), page.get_by_role("button", name="Delete my account")
        password.fill("not this one")
        delete.click()
        expect(page.get_by_role("alert")).to_be_visible()
        ida.open("/corpora/new")
        expect(text).to_have_value("A post of mine")
        ida.open("/account/delete")
        password.fill(PASSWORD)
        delete.click()
        expect(page.locator("#messages")).to_contain_text("Your account is deleted")
        assert page.evaluate("Object.keys(localStorage)") == []
