"""What scripts write on a page comes from the catalog of the page's language."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Shelf
from tests.e2e.person import SECONDS, TRAINING, Person, stay_when_asked

#: A catalog that marks each text, and a list of the texts that scripts write. Posts and cells of tables are data.
CATALOG = """
window.django = {
  gettext: (text) => `⟦${text}⟧`,
  ngettext: (one, many, count) => `⟦${count === 1 ? one : many}⟧`,
};
window.written = [];
const note = (text) => /\\p{L}{2}/u.test(text) && window.written.push(String(text));
const content = Object.getOwnPropertyDescriptor(Node.prototype, "textContent");
Object.defineProperty(Node.prototype, "textContent", {
  ...content,
  set(text) { note(text); content.set.call(this, text); },
});
const { setAttribute, append } = Element.prototype;
Element.prototype.setAttribute = function (name, value) {
  if (/^(aria-(label|valuetext)|title|placeholder|alt)$/.test(name)) note(value);
  setAttribute.call(this, name, value);
};
Element.prototype.append = function (...children) {
  const isData = this.matches("p[dir], th, td, .opening");
  for (const child of children) if (!isData && typeof child === "string") note(child);
  append.apply(this, children);
};
"""


def in_brackets(person: Person) -> Page:
    page = person.new_page()
    page.add_init_script(CATALOG)
    return page


def require_all_in_brackets(page: Page) -> None:
    written: list[str] = page.evaluate("window.written")
    assert written and [text for text in written if "⟦" not in text] == []


def test_all_live_texts_of_a_running_training_are_translated(alice: Person, shelf: Shelf) -> None:
    # So many that the training still runs when the second page opens, on a fast machine, too.
    alice.train(shelf.corpus, epochs=9, name="In brackets")
    page = in_brackets(alice)
    page.goto(alice.page.url)
    expect(page.locator("#where")).to_have_text(re.compile("^⟦Epoch [1-9] of 9⟧$"), timeout=TRAINING)
    expect(page.locator("#left")).to_have_text(re.compile(r"^⟦\d+ (s|min)"))
    dashboard = in_brackets(alice)
    dashboard.goto("/jobs/")
    expect(dashboard.locator("[data-live-job] [data-live-state]").first).to_have_text(re.compile("⟦"))
    expect(page.locator("#samples h3").first).to_have_text(re.compile(r"^⟦After epoch \d⟧$"), timeout=TRAINING)
    expect(page.locator(".best-mark")).to_have_text("⟦best⟧")
    stay_when_asked(page)
    expect(page.locator("#where")).to_have_text("⟦The bot is ready⟧", timeout=TRAINING)
    expect(page.locator("[data-live-state]")).to_have_text("⟦Done⟧")
    expect(page.locator("#announcer")).to_have_text(re.compile("⟦"))
    assert page.locator("#chart").get_attribute("aria-label", timeout=SECONDS)
    for opened in (page, dashboard):
        require_all_in_brackets(opened)


def test_a_stopped_training_and_a_lost_connection_are_told_in_translated_words(alice: Person, shelf: Shelf) -> None:
    page = in_brackets(alice)
    page.goto(shelf.job)
    expect(page.locator("#phase")).to_have_text(re.compile("^⟦Stopped after"))
    page.evaluate("document.dispatchEvent(new Event('htmx:sendError'))")
    expect(page.locator("#messages .note")).to_have_text(re.compile("^⟦"))
    require_all_in_brackets(page)


@pytest.mark.parametrize("path", ["/corpora/new", ""])
def test_forms_count_and_estimate_in_translated_words(alice: Person, shelf: Shelf, path: str) -> None:
    page = in_brackets(alice)
    page.goto(path or shelf.corpus)
    page.evaluate(
        """() => {
          const [text, file, slider] = ["id_text", "id_file", "id_epochs"].map((id) => document.getElementById(id));
          if (text) { text.value = "A few words."; text.dispatchEvent(new Event("input")); }
          if (file) {
            const files = new DataTransfer();
            files.items.add(new File(["x"], "posts.odd"));
            file.files = files.files;
            file.dispatchEvent(new Event("change"));
          }
          slider?.dispatchEvent(new Event("input"));
        }"""
    )
    page.wait_for_function("window.written.length > 0")
    require_all_in_brackets(page)
