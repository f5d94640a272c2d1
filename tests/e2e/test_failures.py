"""When something fails, people can try again from where they are: the focus stays, and so does the button."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Route, expect

from tests.e2e.conftest import Shelf
from tests.e2e.person import Person

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


#: Whether the browser asks before it leaves the page.
ASKS = "() => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"


def test_a_page_asks_before_it_drops_an_upload(alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "diary.txt"
    file.write_text("A post.\n")
    with alice.other_device() as desk:
        page = desk.page
        desk.open("/corpora/new")
        desk.choose_file(file)
        page.get_by_label("My own account").check()
        assert not page.evaluate(ASKS)
        page.route(lambda url: url.endswith("/corpora/new"), lambda route: None)
        page.get_by_role("button", name="Import posts").press("Enter")
        expect(page.get_by_role("button", name="Stop sending")).to_be_visible()
        assert page.evaluate(ASKS)
        page.get_by_role("button", name="Stop sending").press("Enter")
        expect(page.get_by_role("button", name="Import posts")).to_be_enabled()
        assert not page.evaluate(ASKS)


#: Counts how often a form is sent, and stops it each time, as somebody may do while a server is slow.
STOP = """() => {
  window.sent = 0;
  document.addEventListener("submit", (submission) => {
    if (!submission.defaultPrevented) window.sent += 1;
    submission.preventDefault();
  });
}"""


def test_a_form_that_somebody_stopped_can_be_sent_again(alice: Person, shelf: Shelf) -> None:
    with alice.other_device() as desk:
        page = desk.page
        page.clock.install()
        desk.open(f"{shelf.corpus}clean")
        page.evaluate(STOP)
        send = page.get_by_role("button", name="Clean all posts again")
        for _ in range(2):
            send.press("Enter")
        assert page.evaluate("window.sent") == 1
        page.get_by_label("Banned words").fill("sourdough")
        send.press("Enter")
        assert page.evaluate("window.sent") == 2
        page.clock.run_for(11_000)
        send.press("Enter")
        assert page.evaluate("window.sent") == 3
        page.get_by_label("Banned words").fill("")


def test_an_action_that_is_refused_says_why(alice: Person, shelf: Shelf) -> None:
    job = alice.train(shelf.corpus, epochs=10, name="Refused")
    delete = alice.page.get_by_role("button", name="Delete this job")
    expect(delete).to_be_hidden()
    alice.cancel()
    expect(delete).to_be_visible()
    with alice.other_device() as desk:
        page = desk.page
        # It doesn't hear that the job waits again.
        page.route_web_socket("**/ws/**", lambda socket: socket.close())
        page.route("**/events?*", lambda route: route.abort())
        desk.open(job)
        alice.page.get_by_role("button", name="Try again").click()
        expect(alice.page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
        expect(delete).to_be_hidden()
        page.get_by_role("button", name="Try again").press("Enter")
        expect(page.locator(".toast.error")).to_contain_text("Only a failed or cancelled job can be tried again.")
    alice.cancel()


def test_a_late_answer_below_a_post_does_not_replace_what_somebody_types(alice: Person) -> None:
    held: list[Route] = []
    with alice.other_device() as desk:
        page = desk.page
        desk.open_base()
        page.get_by_label("How many").fill("1")
        page.get_by_role("button", name="Write", exact=True).click()
        expect(page.locator("[data-seed]")).to_have_count(1)
        page.route("**/why?*", lambda route: held.append(route))
        page.get_by_role("link", name="Why post 1?").press("Enter")
        page.get_by_role("link", name="Edit post 1 and keep it").press("Enter")
        page.get_by_label("Your version").fill("my own words")
        with page.expect_response("**/why?*"):
            held[0].continue_()
        page.wait_for_timeout(500)
        expect(page.get_by_label("Your version")).to_have_value("my own words")


def test_while_the_server_hangs_a_page_asks_once(alice: Person, shelf: Shelf) -> None:
    held: list[Route] = []
    with alice.other_device() as desk:
        page = desk.page
        page.clock.install()
        page.route_web_socket("**/ws/**", lambda socket: socket.close())
        page.route("**/events?*", lambda route: held.append(route))
        desk.open(shelf.job)
        page.wait_for_timeout(500)
        page.clock.run_for(9_000)
        page.wait_for_timeout(500)
        assert len(held) == 1


ON_ANDROID = """async () => {
  document.querySelector("main").innerHTML =
    '<button id="tell-me" hidden>Tell me when it’s done</button><p id="told" hidden></p>';
  window.Notification = class {
    static permission = "default";
    static requestPermission = async () => "granted";
    constructor() { throw new TypeError("Illegal constructor"); }
  };
  const { TellMe } = await import("/static/js/tell-me.js");
  window.tellMe = new TellMe();
  window.tellMe.offer(true);
}"""


def test_a_browser_that_cannot_notify_promises_nothing(alice: Person) -> None:
    with alice.other_device() as phone:
        page = phone.page
        phone.open("/jobs/")
        page.evaluate(ON_ANDROID)
        page.get_by_role("button", name="Tell me when it’s done").click()
        expect(page.locator("#told")).to_have_text("Your browser can’t show notifications from a page.")
        page.evaluate("() => { window.tellMe.offer(true); window.tellMe.tell('Done', 'A bot'); }")
        expect(page.locator("#tell-me")).to_be_hidden()


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
