"""Point 6: what a bot writes, what it learned from, and what you can do with it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Shelf
from tests.e2e.person import CORPUS, Person, epochs_shown
from tests.fakes.posts import make_posts
from tests.product import Product


@pytest.fixture(scope="module")
def corpus(founder: Person) -> str:
    return founder.paste(make_posts(400, seed=11), "Shelf")


@pytest.fixture(scope="module")
def bot(founder: Person, corpus: str) -> str:
    return founder.trained_bot(corpus, epochs=2, name="Shelf bot")


def written(person: Person) -> list[str]:
    return person.page.locator("#generation .post p").all_inner_texts()


def test_its_page_says_what_it_was_made_of(alice: Person, bot: str) -> None:
    alice.open(bot)
    main = alice.page.get_by_role("main")
    expect(main).to_contain_text(re.compile(r"Learned from 400 posts of\s+Shelf,\s+starting from the base model"))
    alice.page.get_by_role("tab", name="Training").click()
    assert epochs_shown(alice.page) == ["1", "2"]
    expect(alice.page.locator("#chart canvas")).to_be_visible()
    alice.page.get_by_text("Network, settings and seed").click()
    expect(alice.page.get_by_role("row", name=re.compile("^seed "))).to_be_visible()


def test_its_report_card_stands_beside_real_posts_and_says_how_it_was_computed(alice: Person, bot: str) -> None:
    alice.open(bot)
    alice.page.get_by_role("tab", name="Report card").click()
    card = alice.page.get_by_role("region", name="Report card")
    for measure in ("new posts", "the person’s voice", "real words"):
        expect(card.get_by_role("row", name=re.compile(f"^{measure}"))).to_contain_text("%")
    expect(card.get_by_text("with seed 1")).to_be_hidden()
    card.get_by_text("How this was computed").focus()
    alice.page.keyboard.press("Enter")
    expect(card.get_by_text("with seed 1")).to_be_visible()


def test_the_base_model_has_a_page_that_nobody_can_change(alice: Person, bot: str) -> None:
    alice.open(bot)
    alice.page.get_by_role("link", name="the base model").click()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("The base model")
    expect(alice.page.get_by_role("button", name="Write")).to_be_visible()
    expect(alice.page.get_by_role("button", name="Rename")).to_have_count(0)
    expect(alice.page.get_by_role("button", name="Delete this bot")).to_have_count(0)


def test_the_same_seed_writes_the_same_posts_twice(alice: Person, bot: str) -> None:
    alice.open(bot)
    page = alice.page
    page.get_by_label("How many").fill("5")
    page.get_by_text("More settings").click()
    page.get_by_label("Seed").fill("42")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("[data-seed]")).to_have_text("42")
    expect(page.locator("#generation .post")).to_have_count(5)
    first = written(alice)
    page.get_by_label("Seed").fill("43")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("[data-seed]")).to_have_text("43")
    assert written(alice) != first
    page.get_by_label("Seed").fill("42")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("[data-seed]")).to_have_text("42")
    assert written(alice) == first
    label = page.get_by_text("Written by my AI bot, not by me.", exact=True)
    expect(label).to_have_count(2)
    expect(label.first).to_be_visible()
    expect(page.locator("#generation .parody")).to_have_text("Written by my AI bot, not by me.")
    page.reload()
    assert written(alice) == first


def test_on_a_phone_the_button_that_writes_is_in_sight_above_and_below_the_posts(alice: Person, bot: str) -> None:
    with alice.other_device(viewport={"width": 390, "height": 800}, is_mobile=True, has_touch=True) as phone:
        page = phone.page
        phone.open(bot)
        write = page.get_by_role("button", name="Write", exact=True)
        expect(page.locator("#generation .post")).not_to_have_count(0)
        expect(write).to_have_count(1)
        expect(write).to_be_in_viewport(ratio=1)
        box = write.bounding_box()
        assert box is not None and box["height"] >= 44
        page.get_by_role("link", name="Settings", exact=True).click()
        expect(page.get_by_label("Temperature")).to_be_in_viewport()
        expect(write).to_be_in_viewport(ratio=1)


#: Notes each text that gives way to a longer one, and how many posts end that had begun. The records have all of it,
#: even if the whole answer comes at once.
WATCH = """() => {
  window.begun = [];
  window.ended = 0;
  new MutationObserver((records) => {
    for (const { removedNodes, oldValue } of records) {
      if (oldValue?.includes("begun")) window.ended += 1;
      for (const node of removedNodes) if (node.nodeType === Node.TEXT_NODE) window.begun.push(node.textContent);
    }
  }).observe(document.getElementById("generation"), {
    childList: true, subtree: true, attributeFilter: ["class"], attributeOldValue: true,
  });
}"""


def test_posts_show_how_they_begin_while_the_bot_writes_them(alice: Person, bot: str) -> None:
    alice.open(bot)
    page = alice.page
    page.evaluate(WATCH)
    page.get_by_label("How many").fill("40")
    page.get_by_text("More settings").click()
    page.get_by_label("Seed").fill("5")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("[data-seed]")).to_have_text("5")
    begun, posts = page.evaluate("() => window.begun"), written(alice)
    assert begun and page.evaluate("() => window.ended") > 0
    # The others are of drafts that were rejected.
    assert any(post.startswith(text) for text in begun for post in posts)
    expect(page.locator(".post.begun")).to_have_count(0)


def test_a_new_bot_writes_when_its_page_opens_and_more_when_asked(bob: Person, alice: Person, bot: str) -> None:
    alice.open(f"{bot}#sharing")
    alice.page.get_by_label("By link").check()
    alice.page.get_by_role("button", name="Save").click()
    bob.open(str(alice.page.locator("[data-link]").inner_text()))
    page, posts = bob.page, bob.page.locator("#generation .post p")
    expect(page.locator("#generation [data-seed]")).to_have_count(1)
    expect(posts).to_have_count(10)
    page.get_by_label("How many").fill("2")
    page.get_by_role("button", name="More posts").click()
    expect(page.locator("#generation [data-seed]")).to_have_count(2)
    expect(posts).to_have_count(12)
    page.get_by_role("link", name="Why post 1?").first.click()
    expect(page.locator(".why").first).to_be_visible()
    bob.require_no_complaints()


def test_the_tabs_of_its_page_work_by_keyboard_and_keep_their_place(alice: Person, bot: str) -> None:
    alice.open(bot)
    page = alice.page
    page.get_by_role("tab", name="Posts").focus()
    for name in ("Kept", "Report card"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name)).to_be_focused()
    expect(page.get_by_role("region", name="Report card")).to_be_visible()
    expect(page.locator("#generation")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("region", name="Report card")).to_be_visible()


def test_temperatures_and_bots_are_compared_side_by_side(alice: Person, bot: str) -> None:
    alice.open(bot)
    page, columns = alice.page, alice.page.locator(".column")
    page.get_by_label("How many").fill("1")
    page.get_by_role("button", name="Three temperatures").press("Enter")
    expect(page.locator(".column [data-seed]")).to_have_count(3)
    seeds = page.locator(".column [data-seed]").evaluate_all("found => found.map((seed) => seed.textContent)")
    assert len(set(seeds)) == 1 and len(seeds) == 3
    posts = page.locator(".column .post-body > p").all_inner_texts()
    page.reload()
    expect(columns).to_have_count(3)
    assert page.locator(".column .post-body > p").all_inner_texts() == posts
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Bot of column 2").select_option(label="The base model")
    page.get_by_label("How many").fill("1")
    page.get_by_role("button", name="Compare").press("Enter")
    expect(page.locator(".column [data-seed]")).to_have_count(2)
    expect(columns.first).to_contain_text("Shelf bot")
    expect(columns.last).to_contain_text("The base model")
    alice.require_no_complaints()


def test_the_guessing_game_is_played_by_keyboard(alice: Person, bot: str) -> None:
    alice.open(f"{bot}game")
    page = alice.page
    page.get_by_role("button", name="Play").press("Enter")
    for number in range(1, 11):
        heading = page.get_by_role("heading", name=f"Post {number} of 10", exact=True)
        expect(heading).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    # By the same guess each time, five are right.
    expect(page.get_by_role("heading", name="5 of 10")).to_be_focused()
    expect(page.locator(".game-list > .post")).to_have_count(10)
    alice.require_no_complaints()


def test_without_javascript_everything_stands_on_one_page(alice: Person, bot: str) -> None:
    with alice.other_device(java_script_enabled=False) as plain:
        plain.open(bot)
        for name in ("Write new posts", "Report card", "How it learned", "Sharing", "Download"):
            expect(plain.page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def test_the_theme_is_kept_with_and_without_javascript(alice: Person) -> None:
    for options in ({}, {"java_script_enabled": False}):
        with alice.other_device(color_scheme="light", **options) as device:
            device.open("/jobs/")
            # The script changes the colours at once; the next page has them when the server has kept the choice.
            with device.page.expect_response("**/theme"):
                device.page.get_by_role("button", name="Dark").click()
            expect(device.page.locator("html[data-theme=dark]")).to_have_count(1)
            device.open("/models/")
            expect(device.page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
            background = device.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            assert background == "rgb(13, 16, 15)"


def test_after_writing_by_keyboard_the_focus_is_where_it_was_and_the_outcome_is_said(alice: Person, bot: str) -> None:
    alice.open(bot)
    page = alice.page
    button, status = page.get_by_role("button", name="Write"), page.locator("form[data-writes] [role=status]")
    page.get_by_label("How many").fill("3")
    for key in ("Enter", "Space"):
        expect(status).not_to_have_text("Writing…")
        button.focus()
        page.keyboard.press(key)
        expect(page.locator("#generation .post")).to_have_count(3)
        expect(status).to_have_text("3 new posts.")
        expect(button).to_be_focused()
        expect(button).not_to_have_attribute("aria-disabled", "true")
        status.evaluate("line => { line.textContent = '' }")
    page.locator("form[data-writes]").evaluate("form => form.noValidate = true")
    page.get_by_label("How many").fill("0")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(button).to_be_focused()
    expect(status).to_have_text("")


def test_a_busy_server_says_in_place_when_to_try_again(alice: Person, bot: str) -> None:
    alice.open(bot)
    words = '<div class="note error" role="alert"><p>Busy. Try again in about 20 s.</p></div>'
    alice.page.route("**/generate", lambda route: route.fulfill(status=503, body=words, content_type="text/html"))
    alice.page.get_by_role("button", name="Write").click()
    expect(alice.page.get_by_role("alert")).to_contain_text("Busy. Try again in about 20 s.")
    alice.page.unroute("**/generate")
    alice.complaints.clear()


def test_a_wrong_setting_is_answered_with_a_sentence_in_place(alice: Person, bot: str) -> None:
    alice.open(bot)
    alice.page.locator("form[data-writes]").evaluate("form => form.noValidate = true")
    alice.page.get_by_label("Temperature").evaluate("slider => { slider.type = 'number'; slider.value = '9' }")
    alice.page.get_by_role("button", name="Write").click()
    expect(alice.page.get_by_role("alert")).to_contain_text("less than or equal to 2")
    assert alice.page.url == bot


def test_writing_works_without_javascript(alice: Person, bot: str) -> None:
    with alice.other_device(java_script_enabled=False) as plain:
        plain.open(bot)
        plain.page.get_by_label("How many").fill("3")
        plain.page.get_by_role("button", name="Write").click()
        expect(plain.page.locator("#generation .post")).to_have_count(3)


def test_it_is_renamed_and_trained_further_and_deleted(
    alice: Person, bot: str, corpus: str, shelf: Shelf, product: Product
) -> None:
    page = alice.page
    # The page of the posts remembers another start, which doesn't count for "Continue training".
    alice.open(corpus)
    page.get_by_label("Or continue from one of your bots").check()
    page.get_by_label("Your bot", exact=True).select_option(shelf.model.rstrip("/").rsplit("/", 1)[1])
    alice.open(bot)
    page.get_by_role("tab", name="Download and settings").click()
    page.get_by_label("Name", exact=True).fill("Shelf bot the elder")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Shelf bot the elder")

    page.get_by_role("link", name="Continue training").click()
    page.wait_for_url(re.compile(r"\?start="))
    expect(page.get_by_label("Or continue from one of your bots")).to_be_checked()
    expect(page.get_by_label("Your bot", exact=True)).to_have_value(bot.rstrip("/").rsplit("/", 1)[1])
    page.get_by_label("Epochs").fill("1")
    page.get_by_label("Name of the bot").fill("Shelf bot the younger")
    page.get_by_role("button", name="Make the bot").click()
    alice.wait_for_bot()
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"starting from\s+Shelf bot the elder"))

    younger = page.url.rstrip("/").rsplit("/", 1)[1]
    files = next((product.checkpoints / "users").glob(f"*/{younger}"))
    assert (files / "weights.safetensors").is_file()
    page.get_by_role("tab", name="Download and settings").click()
    page.get_by_role("button", name="Delete this bot").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Delete this bot").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Shelf bot the younger was deleted")).to_be_visible()
    assert not files.exists()
    assert alice.open(f"/models/{younger}/").status == 404


def test_a_deleted_corpus_takes_its_page_along_and_leaves_its_bots(alice: Person, bot: str, corpus: str) -> None:
    alice.open(corpus)
    assert CORPUS.search(alice.page.url)
    alice.page.get_by_role("button", name="Delete these posts").click()
    alice.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(alice.page.get_by_text("Deleted Shelf:")).to_be_visible()
    assert alice.open(corpus).status == 404
    assert alice.open(bot).status == 200
    expect(alice.page.get_by_role("main")).to_contain_text("Shelf (deleted)")
