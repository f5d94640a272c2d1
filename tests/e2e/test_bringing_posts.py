"""Points 2 and 3: the ways to import posts, and the results."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.person import JOB, SECONDS, Person
from tests.fakes.archives import archive_2022
from tests.fakes.posts import make_posts
from tests.product import wait_for


def test_pasted_text_becomes_a_corpus_with_a_report(alice: Person) -> None:
    alice.paste([*make_posts(600, seed=1), "https://example.com/only-a-link", make_posts(1, seed=1)[0]], "Town")
    expect(alice.figure("kept")).to_have_text("600")
    expect(alice.figure("found")).to_have_text("602")
    rows = alice.page.get_by_role("table", name="Kept and dropped posts, by reason").get_by_role("row")
    expect(rows.filter(has_text="only links")).to_contain_text("1")
    expect(rows.filter(has_text="duplicates")).to_contain_text("1")
    expect(alice.page.get_by_text("Enough posts.")).to_be_visible()
    expect(alice.page.locator(".post")).to_have_count(12)


def test_a_few_posts_are_enough_with_a_warning(alice: Person) -> None:
    alice.paste(make_posts(150, seed=2), "A few")
    expect(alice.page.get_by_text("Few posts, but it works.")).to_be_visible()
    expect(alice.page.get_by_role("button", name="Make the bot")).to_be_enabled()


def test_too_few_characters_are_refused_with_a_sentence(alice: Person) -> None:
    alice.paste(make_posts(10, seed=3), "Hardly any")
    expect(alice.page.get_by_text(re.compile("too few to learn from. You need at least 6,000"))).to_be_visible()
    expect(alice.page.get_by_role("button", name="Make the bot")).to_be_disabled()


def test_nothing_pasted_is_answered_with_a_sentence(alice: Person) -> None:
    alice.open("/corpora/new")
    alice.page.get_by_label("Pasted text").check()
    alice.bring()
    expect(alice.page.get_by_role("alert").first).to_contain_text("There is no text yet")
    expect(alice.page.get_by_label("Posts, one on each line")).to_be_visible()


def test_a_jsonl_file_is_uploaded(alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "diary.jsonl"
    file.write_text("".join(json.dumps({"text": post}) + "\n" for post in make_posts(200, seed=4)))
    alice.open("/corpora/new")
    alice.choose_file(file)
    expect(alice.page.get_by_text("diary.jsonl, ")).to_be_visible()
    alice.bring()
    alice.wait_for_corpus()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("diary")
    expect(alice.figure("kept")).to_have_text("200")


def test_a_file_may_be_dropped_anywhere_on_the_page(alice: Person) -> None:
    alice.open("/corpora/new")
    alice.page.get_by_label("Pasted text").check()
    content = "".join(json.dumps({"text": post}) + "\n" for post in make_posts(200, seed=5))
    alice.page.locator("h1").evaluate(
        """(heading, content) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([content], "dropped.jsonl"));
            heading.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    expect(alice.page.locator("#file-chosen")).to_contain_text("dropped.jsonl")
    alice.bring()
    alice.wait_for_corpus()
    expect(alice.figure("kept")).to_have_text("200")


def test_an_x_archive_is_uploaded(alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "twitter-archive.zip"
    file.write_bytes(archive_2022(make_posts(250, seed=5)))
    alice.open("/corpora/new")
    alice.choose_file(file)
    alice.bring()
    alice.wait_for_corpus()
    expect(alice.page.get_by_text("From the X archive twitter-archive.zip")).to_be_visible()
    expect(alice.figure("kept")).to_have_text("250")


def test_an_unreadable_upload_is_told_on_the_same_page(alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "empty.txt"
    file.write_text("   \n")
    alice.open("/corpora/new")
    alice.choose_file(file)
    alice.bring()
    expect(alice.page.get_by_role("alert")).to_contain_text("empty.txt is empty")
    expect(alice.page.get_by_role("button", name="Import posts")).to_be_enabled()


def test_an_x_handle_is_imported_page_by_page(alice: Person) -> None:
    _import_handle(alice, "@prolific")
    expect(alice.page.locator("#pages li").first).to_have_text(re.compile(r"^100 new posts\. Total: [\d,]+00\."))
    alice.wait_for_corpus()
    expect(alice.figure("found")).to_have_text("3,200")
    alice.open("/jobs/")
    alice.page.get_by_role("link", name="Import @prolific").click()
    expect(alice.page.locator("#pages li").first).to_have_text("100 new posts. Total: 3,200.")
    expect(alice.page.get_by_role("link", name="See the posts")).to_be_visible()
    # A page of a job that ended earlier stays open.
    alice.page.wait_for_timeout(1500)
    assert JOB.search(alice.page.url)


def test_the_cost_of_an_x_handle_is_asked_about_on_a_small_phone_without_javascript(alice: Person) -> None:
    with alice.other_device(viewport={"width": 360, "height": 740}, java_script_enabled=False) as phone:
        phone.open("/corpora/new")
        phone.page.get_by_role("radio", name="X", exact=True).check()
        phone.page.get_by_label("X handle", exact=True).fill("@prolific")
        phone.bring()
        expect(phone.page.get_by_role("heading", level=1)).to_have_text("Import the posts from @prolific?")
        expect(phone.figure("bought")).to_have_text("3,200")
        expect(phone.figure("cost")).to_have_text("$16.01")
        phone.page.get_by_role("link", name="Not now").click()
        phone.page.get_by_role("radio", name="X", exact=True).check()
        phone.page.get_by_label("X handle", exact=True).fill("@suspended")
        phone.bring()
        expect(phone.page.get_by_role("alert")).to_contain_text("X has suspended @suspended")
        phone.page.get_by_label("X handle", exact=True).fill("@essayist")
        phone.bring()
        phone.page.get_by_role("button", name="Buy posts and start the import").click()
        phone.page.wait_for_url(JOB)


def test_a_pause_that_x_asks_for_is_shown_with_its_end_and_can_be_cancelled(alice: Person) -> None:
    _import_handle(alice, "@limited")
    phase = alice.page.locator("#phase")
    expect(phase).to_have_text(re.compile(r"X asks us to wait until \d\d:\d\d[.;]"), timeout=30 * SECONDS)
    expect(alice.page.locator("#count")).to_have_text("200 posts")
    alice.page.reload()
    expect(phase).to_contain_text("X asks us to wait until")
    alice.page.get_by_role("button", name="Cancel").click()
    alice.wait_for_state("Cancelled", timeout=15 * SECONDS)
    expect(alice.page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_failed_import_says_why_and_offers_another_try(alice: Person) -> None:
    _import_handle(alice, "@expelled")
    alice.wait_for_state("Failed", timeout=30 * SECONDS)
    expect(alice.page.locator("#failure")).to_contain_text("suspended")
    alice.page.get_by_role("button", name="Try again").click()
    # The second attempt may fail before a browser can look, so the test reads the job's own record.
    wait_for("the second try fails too", lambda: _states(alice).count("failed") == 2)
    assert "queued" in _states(alice)[1:]
    alice.wait_for_state("Failed", timeout=30 * SECONDS)


def test_replies_are_kept_after_all_without_another_import(alice: Person) -> None:
    _import_handle(alice, "@chatty")
    alice.wait_for_corpus()
    expect(alice.figure("kept")).to_have_text("18")
    alice.page.get_by_role("link", name="Filter posts").click()
    alice.page.get_by_label("Keep replies").check()
    alice.page.get_by_role("button", name="Clean all posts again").click()
    alice.page.wait_for_url(JOB)
    alice.wait_for_corpus()
    expect(alice.figure("kept")).to_have_text("19")


def _states(person: Person) -> list[str]:
    """Return every state of the open page's job since its submission."""
    answer = person.page.request.get(f"{person.page.url}events?after=0")
    assert answer.ok
    return [event["payload"]["state"] for event in answer.json()["events"] if event["kind"] == "state"]


def _import_handle(person: Person, handle: str) -> None:
    person.open("/corpora/new")
    person.page.get_by_role("radio", name="X", exact=True).check()
    person.page.get_by_label("X handle", exact=True).fill(handle)
    person.bring()
    person.page.get_by_role("button", name="Buy posts and start the import").click()
    person.page.wait_for_url(JOB)


def test_a_file_that_cannot_be_read_is_replaced_by_another(alice: Person, tmp_path: Path) -> None:
    bad, good = tmp_path / "town.json", tmp_path / "town.jsonl"
    bad.write_text('{"no": ')
    good.write_text("".join(json.dumps({"text": post}) + "\n" for post in make_posts(200, seed=8)))
    page = alice.page
    alice.open("/corpora/new")
    alice.choose_file(bad)
    page.get_by_label("Keep replies").check()
    page.get_by_label("Name").fill("Replaced")
    alice.bring()
    alice.wait_for_state("Failed")
    expect(page.get_by_role("link", name="Choose another file")).to_be_visible()
    expect(page.get_by_role("button", name="Delete posts and import")).to_be_visible()
    # The same file would fail again.
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    page.get_by_role("link", name="Choose another file").click()
    expect(page.get_by_text("These posts replace Replaced")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Replaced")
    expect(page.get_by_label("Keep replies")).to_be_checked()
    expect(page.get_by_label("My own account")).to_be_checked()
    alice.choose_file(good)
    page.get_by_role("button", name="Import posts").click()
    alice.wait_for_corpus()
    expect(alice.figure("kept")).to_have_text("200")
    alice.open("/corpora/?q=Replaced")
    expect(page.get_by_role("link", name="Replaced")).to_have_count(1)


def test_posts_are_searched_taken_out_and_put_back(alice: Person) -> None:
    alice.paste([*make_posts(200, seed=6), "A moist cake", "Moist weather again"], "To be searched")
    alice.page.get_by_role("link", name="Search the posts").click()
    alice.page.get_by_label("Words").fill("moist")
    alice.page.keyboard.press("Enter")
    expect(alice.page.get_by_role("heading", name="2 posts with “moist”")).to_be_visible()
    alice.page.get_by_role("button", name="Remove post 1").click()
    expect(alice.page.get_by_text("1 post is removed.")).to_be_visible()
    expect(alice.page.locator(".post")).to_have_text(re.compile("Moist weather again"))
    alice.page.get_by_role("button", name="Remove them all").click()
    expect(alice.page.get_by_text("No post contains these words.")).to_be_visible()
    alice.page.get_by_label("Show").select_option("Posts you removed")
    alice.page.get_by_role("button", name="Search").click()
    alice.page.get_by_role("button", name="Put them all back").click()
    expect(alice.page.get_by_text("2 posts are back.")).to_be_visible()


def test_two_corpora_are_blended(alice: Person) -> None:
    alice.paste(make_posts(120, seed=31), "Harbour")
    alice.paste(make_posts(60, seed=32), "Garden")
    alice.open("/corpora/")
    alice.page.get_by_role("link", name="Blend posts").click()
    alice.page.get_by_label("Harbour").fill("2")
    alice.page.get_by_label("Garden").fill("1")
    alice.page.get_by_role("button", name="Blend").click()
    alice.wait_for_corpus()
    expect(alice.page.get_by_text("A blend of Harbour (120 posts), Garden (60 posts)")).to_be_visible()


def test_rules_are_tried_before_they_are_applied(alice: Person) -> None:
    alice.paste([*make_posts(200, seed=7), "A moist cake"], "To be tried")
    alice.page.get_by_role("link", name="Filter posts").click()
    alice.page.get_by_label("Banned words").fill("Moist")
    alice.page.get_by_role("button", name="Try it on some posts").click()
    expect(alice.page.locator("#trial")).to_contain_text("dropped: with a banned word")
    expect(alice.page.get_by_label("Banned words")).to_have_value("Moist")
    alice.page.get_by_role("button", name="Clean all posts again").click()
    alice.wait_for_corpus()
    expect(alice.figure("kept")).to_have_text("200")
