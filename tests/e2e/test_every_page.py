"""What holds on every page: it is whole on a phone and in the dark, and nothing of it is a stranger's to see."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.person import Person
from tests.e2e.product import Product
from tests.fakes.posts import make_posts

LONG = "https://example.com/" + "a" * 200


@pytest.fixture(scope="module")
def own_pages(founder: Person) -> dict[str, str]:
    """A corpus with long words, its training and its bot."""
    posts = [*make_posts(250, seed=21), "w" * 280, "😀" * 140, f"see {LONG}", "<script>alert(1)</script> <b>bold</b>"]
    corpus = founder.paste(posts, "Long " + "w" * 70)
    job = founder.train(corpus, epochs=1, name="Bot " + "w" * 70)
    founder.wait_for_state("Done")
    founder.page.get_by_role("link", name="Open the bot").click()
    founder.page.wait_for_url(re.compile("/models/"))
    founder.page.get_by_role("button", name="Write").click()
    expect(founder.page.locator("#generation .post").first).to_be_visible()
    return {"corpus": corpus, "job": job, "model": founder.page.url}


SIGNED_IN = ["/", "/models/", "/corpora/", "/corpora/new", "/jobs/", "/nothing-here"]
ACCOUNT = ["/accounts/email/", "/accounts/password/change/", "/accounts/2fa/", "/accounts/logout/"]
STRANGERS = ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_small_phone_without_complaints(
    alice: Person, own_pages: dict[str, str], scheme: str
) -> None:
    with alice.other_device(viewport={"width": 360, "height": 740}, color_scheme=scheme) as phone:
        for path in [*SIGNED_IN, *ACCOUNT, *own_pages.values()]:
            phone.open(path)
            require_fit(phone)
        phone.require_no_complaints()


def test_the_pages_of_strangers_fit_a_small_phone_without_complaints(browser: Browser, product: Product) -> None:
    with Person(browser, product, "charlie", viewport={"width": 360, "height": 740}) as charlie:
        for path in STRANGERS:
            charlie.open(path)
            require_fit(charlie)
        charlie.require_no_complaints()


def test_every_page_is_fine_on_a_wide_screen(alice: Person, own_pages: dict[str, str]) -> None:
    with alice.other_device(viewport={"width": 1400, "height": 900}) as desk:
        for path in [*SIGNED_IN, *own_pages.values()]:
            desk.open(path)
            require_fit(desk)
        desk.require_no_complaints()


def test_what_belongs_to_alice_does_not_exist_for_bob(bob: Person, own_pages: dict[str, str]) -> None:
    for address in own_pages.values():
        assert bob.open(address).status == 404
    assert bob.open(f"{own_pages['job']}events").status == 404
    bob.open("/")
    path = own_pages["job"].split("/jobs/")[1]
    outcome = bob.page.evaluate(
        """path => new Promise(resolve => {
            const socket = new WebSocket(`ws://${location.host}/ws/jobs/${path}`);
            socket.onopen = () => resolve("open");
            socket.onclose = () => resolve("refused");
        })""",
        path,
    )
    assert outcome == "refused"


def require_fit(person: Person) -> None:
    widths = person.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1], f"{person.page.url} is {widths[0]} wide in a window of {widths[1]}"
    expect(person.page.get_by_role("heading", level=1)).to_have_count(1)
