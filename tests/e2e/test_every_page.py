"""Every page works on a phone and in the dark, and strangers see nothing of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Shelf
from tests.e2e.person import Person
from tests.product import Product

SIGNED_IN = [
    "/",
    "/models/",
    "/kept/",
    "/compare/",
    "/compare/curves",
    "/corpora/",
    "/corpora/new",
    "/corpora/blend",
    "/jobs/",
    "/gallery/",
    "/nothing-here",
]
ACCOUNT = [
    "/account/",
    "/accounts/sessions/",
    "/tokens/",
    "/webhooks/",
    "/account/import",
    "/account/delete",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/logout/",
]
#: The founder is the administrator, whose head has more links than that of others.
STAFF = ["/status/", "/styleguide/", "/admin/", "/admin/jobs/job/"]
STRANGERS = ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (320, "dark")])
def test_every_page_fits_a_small_phone_without_complaints(alice: Person, shelf: Shelf, width: int, scheme: str) -> None:
    with alice.other_device(viewport={"width": width, "height": 740}, color_scheme=scheme) as phone:
        for path in [*SIGNED_IN, *ACCOUNT, *STAFF, *shelf.pages]:
            phone.open(path)
            require_fit(phone)
        phone.require_no_complaints()


def test_the_pages_of_strangers_fit_a_small_phone_without_complaints(browser: Browser, product: Product) -> None:
    with Person(browser, product, "charlie", viewport={"width": 320, "height": 740}) as charlie:
        for path in STRANGERS:
            charlie.open(path)
            require_fit(charlie)
        charlie.require_no_complaints()


def test_every_page_is_fine_on_a_wide_screen(alice: Person, shelf: Shelf) -> None:
    with alice.other_device(viewport={"width": 1400, "height": 900}) as desk:
        for path in [*SIGNED_IN, *shelf.pages]:
            desk.open(path)
            require_fit(desk)
        desk.require_no_complaints()


@pytest.mark.parametrize(("path", "way"), [("/corpora/new", "#way-file"), ("/account/import", "")])
def test_a_file_field_has_room_for_its_button(alice: Person, path: str, way: str) -> None:
    alice.open(path)
    if way:
        alice.page.locator(way).check()
    field = alice.page.locator("main input[type=file]")
    expect(field).to_have_css("border-top-style", "dashed")
    room = "field => field.clientHeight - 2 * parseFloat(getComputedStyle(field).paddingTop)"
    assert field.evaluate(room) >= 30


def test_the_look_of_one_page_leaves_the_same_names_on_others_alone(alice: Person, shelf: Shelf) -> None:
    alice.open("/styleguide/")
    heights = alice.page.locator(".swatches .swatch").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert min(heights) >= 48
    alice.open(shelf.model)
    expect(alice.page.locator("p.three")).to_have_css("display", "block")


def test_markup_in_posts_is_text(alice: Person, shelf: Shelf) -> None:
    alice.open(shelf.model)
    alice.page.get_by_label("Begins with").fill("<script>alert(1)</script> <b>bold</b>")
    alice.page.get_by_label("How many").fill("1")
    alice.page.get_by_role("button", name="Write").click()
    expect(alice.page.locator("#generation .post p")).to_contain_text("<script>alert(1)</script> <b>bold</b>")
    expect(alice.page.locator("#generation .post b")).to_have_count(0)


def test_what_belongs_to_alice_does_not_exist_for_bob(bob: Person, shelf: Shelf) -> None:
    for address in (shelf.corpus, shelf.job, shelf.model):
        assert bob.open(address).status == 404
    assert bob.open(f"{shelf.job}events").status == 404
    bob.open("/")
    path = shelf.job.split("/jobs/")[1]
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
