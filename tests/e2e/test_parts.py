"""Parts of a page that are asked for later: an answer without the part never takes its place."""

from __future__ import annotations

import re

from django.conf import settings
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route, expect

from tests.e2e.person import Person

GONE = re.compile("It was deleted, belongs to somebody else")
BUSY = "The database doesn’t answer right now. Try again in a few seconds."
SIGNED_OUT = "You’ve been signed out. Reload the page."


def busy(route: Route) -> None:
    page = render_to_string("refused.html", {"title": "Not now", "message": BUSY})
    route.fulfill(status=503, body=page, content_type="text/html")


def troubled(route: Route) -> None:
    answer = route.fetch()
    live = re.compile(r'(<div id="work-trouble"[^>]*>).*?(</div>)')
    route.fulfill(response=answer, body=live.sub(r"\1<p>No worker answers.</p>\2", answer.text()))


def status_page(desk: Person) -> Page:
    desk.page.clock.install()
    desk.open("/status/")
    expect(desk.page.locator("#work tbody tr").first).to_be_visible()
    return desk.page


def test_a_polled_part_stays_while_the_server_is_busy_and_comes_again_afterwards(desk: Person) -> None:
    page = status_page(desk)
    page.route("**/status/", busy)
    page.clock.run_for(21_000)
    note = page.locator("#messages .note")
    expect(note).to_have_text(BUSY)
    expect(page.locator("#work tbody tr").first).to_be_visible()
    page.unroute("**/status/")
    with page.expect_response("**/status/") as answer:
        page.clock.run_for(21_000)
    assert answer.value.ok
    expect(note).to_have_count(0)
    expect(page.locator("#work tbody tr").first).to_be_visible()


def test_a_polled_part_stays_after_the_end_of_the_session_and_the_page_says_so(desk: Person) -> None:
    page = status_page(desk)
    desk.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.clock.run_for(21_000)
    expect(page.locator("#messages .note")).to_have_text(SIGNED_OUT)
    expect(page.locator("#work tbody tr").first).to_be_visible()
    expect(page.get_by_label("Password")).to_have_count(0)


def test_a_polled_part_keeps_its_place_and_its_focus_and_says_trouble_once(alice: Person) -> None:
    with alice.other_device(viewport={"width": 240, "height": 740}) as phone:
        page = status_page(phone)
        table, alert = page.locator("#work-table"), page.get_by_role("alert")
        table.evaluate("table => { table.scrollLeft = 30; table.focus(); table.mark = true }")
        page.route("**/status/", troubled)
        page.evaluate(
            """() => {
              window.changes = 0;
              const count = (records) => { window.changes += records.length };
              new MutationObserver(count).observe(document.getElementById("work-trouble"), { childList: true });
            }"""
        )
        for _ in range(2):
            with page.expect_response("**/status/"):
                page.clock.run_for(21_000)
            page.wait_for_function("!document.getElementById('work-table').mark")
            assert table.evaluate("table => table.scrollLeft") == 30
            expect(table).to_be_focused()
            expect(alert).to_have_text("No worker answers.")
            table.evaluate("table => { table.mark = true }")
        assert page.evaluate("window.changes") == 1
        page.unroute("**/status/")
        page.clock.run_for(21_000)
        expect(alert).to_have_text("")


FORM = """
<form id="train-form" data-ahead="0"><fieldset>
  <input type="radio" name="start" data-tier="fluent" checked>
  <input type="range" id="id_minutes" min="1" max="4" value="2"><output id="minutes-value"></output>
  <input id="id_epochs"><output id="epochs-value"></output>
  <input id="id_learning_rate"><input id="id_dropout"><input id="id_batch_size"><input id="id_sequence_length">
</fieldset></form>
<p id="estimate" aria-live="polite"></p>
<script type="application/json" id="train-courses">
{"fluent": {"automatic": {}, "posts": 900, "least_minutes": 1,
  "plans": [[300, 60, 1], [600, 120, 1], [900, 180, 1], [900, 240, 2]]}}
</script>
"""


def test_what_a_training_reads_is_said_by_its_estimate_alone(alice: Person) -> None:
    page = alice.page
    page.evaluate(
        "async (form) => { document.body.innerHTML = form; await import('/static/js/train-form.js') }",
        FORM,
    )
    expect(page.locator("#id_minutes")).to_have_attribute("aria-valuetext", "about 2 min")
    for minutes, reads in (
        (2, "It reads about the newest 600 of 900 posts."),
        (3, "It reads all your posts."),
        (4, "It reads all your posts twice."),
    ):
        page.locator("#id_minutes").fill(str(minutes))
        expect(page.locator("#estimate")).to_contain_text(reads)
        expect(page.locator("#minutes-value")).to_have_text(f"about {minutes} min")
        expect(page.locator("#estimate")).to_contain_text(f"About {minutes} min on this machine.")


def test_after_the_end_of_the_session_no_page_opens_below_a_post_and_nothing_is_kept(desk: Person) -> None:
    page = desk.page
    desk.open_base()
    page.get_by_label("How many").fill("1")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("[data-seed]")).to_have_count(1)
    desk.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.get_by_role("link", name="Why post 1?").press("Enter")
    expect(page.locator("[data-below-place]")).to_have_text(SIGNED_OUT)
    page.get_by_role("button", name="Keep post 1", exact=True).press("Enter")
    # Errors stay until somebody closes them, which leads back to where the focus was.
    error = page.locator(".toast.error")
    page.wait_for_timeout(3000)
    expect(error).to_contain_text(SIGNED_OUT)
    error.get_by_role("button", name="Close").press("Enter")
    expect(error).to_have_count(0)
    expect(page.get_by_role("button", name="Keep post 1", exact=True)).to_be_focused()


def test_no_page_takes_the_place_of_posts_when_the_session_or_the_bot_is_gone(desk: Person) -> None:
    page = desk.page
    address = desk.open_base()
    form, alert = page.locator("#write-form"), page.locator("#generation").get_by_role("alert")
    page.get_by_label("Begins with").fill("The words ")
    form.evaluate("form => { form.action = form.action.replace(/[0-9a-f]{8}-/, '00000000-') }")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(alert).to_have_text(GONE)
    expect(page.get_by_role("main")).to_have_count(1)
    desk.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.get_by_role("button", name="Write", exact=True).click()
    expect(alert).to_have_text(SIGNED_OUT)
    assert page.url == address
    expect(page.get_by_label("Begins with")).to_have_value("The words ")
