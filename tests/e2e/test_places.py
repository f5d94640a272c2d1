"""Posts stay where they first appear: while they are written, when writing ends, and after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.person import Person

#: Notes the cards at each change: the text of a whole post, else null, and the card's upper edge. The records have all
#: of it, even if the whole answer comes at once.
WATCH = """() => {
  // Before that, the page may write by itself.
  document.addEventListener("submit", () => (window.looks = []));
  window.looks = [];
  const place = document.getElementById("generation");
  new MutationObserver(() => {
    const cards = [...place.querySelectorAll(".timeline > .post")];
    const text = (card) => (card.matches(".waiting, .begun") ? null : card.querySelector(".post-body > p").textContent);
    window.looks.push(cards.map((card) => [text(card), Math.round(card.getBoundingClientRect().top + scrollY)]));
  }).observe(place, { childList: true, subtree: true, attributeFilter: ["class"] });
}"""


def write(page: Page, count: int, *, seed: int, banned: str) -> list[list[tuple[str | None, int]]]:
    """Let the bot write, and return the cards at each look; the last ones have the stored posts."""
    page.evaluate(WATCH)
    page.get_by_label("How many").fill(str(count))
    page.get_by_text("More settings").click()
    page.get_by_label("Seed").fill(str(seed))
    page.get_by_label("Banned words").fill(banned)
    page.get_by_role("button", name="Write", exact=True).press("Enter")
    expect(page.locator("#generation [data-seed]")).to_have_text(str(seed))
    looks: list[list[tuple[str | None, int]]] = page.evaluate("() => window.looks")
    return looks


@pytest.mark.parametrize("width", [1280, 360], ids=["desk", "phone"])
def test_each_post_stays_in_its_place_when_writing_ends(alice: Person, width: int) -> None:
    with alice.other_device(viewport={"width": width, "height": 800}) as device:
        page = device.page
        device.open_base()
        # Words that some of its drafts have.
        looks = write(page, 12, seed=3, banned="a, e, i, o, s, t")
        expect(page.locator("[data-refused]")).to_contain_text("banned")
        stored = page.locator("#generation .post-body > p").all_inner_texts()
        assert len(stored) == 12 and [text for text, _ in looks[-1]] == stored
        shown = [[text for text, _ in look] for look in looks[:-1] if look]
        ended = [sum(text is not None for text in look) for look in shown]
        assert all(text in (None, stored[place]) for look in shown for place, text in enumerate(look))
        assert any(None in look[: number - 1] for look, number in zip(shown, ended, strict=True) if number > 1)
        # The last look before the stored posts has all of them.
        assert looks[-2] == looks[-1]
        page.reload()
        assert page.locator("#generation .post-body > p").all_inner_texts() == stored
        device.require_no_complaints()
