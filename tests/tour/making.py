"""Start the product, take Mrs. Kettle's posts from sign-up to a bot, and draw every page on the way."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import PASSWORD
from tests.e2e.conftest import ARGUMENTS, chromium
from tests.e2e.person import CORPUS, JOB, MODEL, SECONDS, Person
from tests.product import ROOT, Product
from tests.tour import stops, webp

NAME: Final = "marta"
DESK: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 780}
FLOW: Final = {"width": 960, "height": 600}
#: A training of the example takes minutes, and longer on a busy machine.
PATIENCE: Final = 1800 * SECONDS
PICTURES: Final = ROOT / "docs" / "tour"


class Film:
    """Frames of a window, each with the time that it is shown."""

    def __init__(self, person: Person) -> None:
        self._page = person.page
        self._frames: list[tuple[bytes, int]] = []

    def show(self, milliseconds: int, *, below: int = 0) -> None:
        """Add what the window shows, `below` pixels from the top of the page."""
        self._page.evaluate("top => scrollTo(0, top)", below)
        self._frames.append((webp.picture_of(self._page, 60), milliseconds))

    def written(self) -> bytes:
        return webp.animated(self._frames, **FLOW)


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def flow(browser: Browser, product: Product) -> tuple[Person, dict[str, str]]:
    """Go from the first page to a bot that writes, and train another. Return the person and the ids of what they have.

    The first one is fluent, the other one quick, since only quick bots write in the browser.
    """
    marta = Person(browser, product, NAME, viewport=FLOW)
    page, film = marta.page, Film(marta)
    page.set_default_timeout(PATIENCE)
    marta.open("/")
    film.show(1800)
    page.get_by_role("main").get_by_role("link", name="Sign up").first.click()
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    film.show(1200)
    page.get_by_role("button", name="Sign up").click()
    page.get_by_role("button", name="Import her posts").click()
    page.wait_for_url(CORPUS)
    page.wait_for_load_state("networkidle")
    film.show(2000)
    corpus = last(page.url)
    say("A fluent bot is trained ...")
    page.get_by_role("button", name="Make the bot").click()
    page.wait_for_url(JOB)
    job = last(page.url)
    for part in (1, 2):
        expect(page.locator("#losses tbody tr")).to_have_count(part, timeout=PATIENCE)
        film.show(1500, below=270)
    page.wait_for_url(MODEL)
    model = last(page.url)
    expect(page.locator("#generation .post p").nth(4)).to_be_visible(timeout=PATIENCE)
    film.show(3500, below=220)
    webp.write(PICTURES / "flow.webp", film.written())
    say("A quick bot is trained ...")
    training = {"kind": "fine_tune", "corpus": corpus, "tier": "quick", "epochs": 3, "name": "The quick Kettle"}
    marta.open(f"/jobs/{ask(marta, 'POST', '/jobs', training)['id']}/")
    page.wait_for_url(MODEL)
    return marta, {"corpus": corpus, "job": job, "model": model, "quick": last(page.url)}


def last(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]


def ask(person: Person, method: str, path: str, data: dict[str, Any]) -> dict[str, Any]:
    """Send a request to the API by the person's session."""
    token = next(cookie["value"] for cookie in person.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token}
    answer = person.context.request.fetch(f"/api/v1{path}", method=method, data=data, headers=headers, timeout=PATIENCE)
    assert answer.ok, answer.text()
    answered: dict[str, Any] = answer.json()
    return answered


def more(marta: Person, ids: dict[str, str]) -> dict[str, str]:
    """Give the pages something to show: kept posts, shared bots, a token and a webhook."""
    marta.open("/accounts/reauthenticate/?next=/tokens/")
    marta.page.get_by_label("Password").fill(PASSWORD)
    marta.page.get_by_label("Password").press("Enter")
    marta.page.wait_for_url("/tokens/")
    posts = ask(marta, "POST", f"/models/{ids['model']}/generate", {"n": 5, "seed": 7})["id"]
    for number in (0, 2, 3):
        ask(marta, "POST", "/kept", {"generation": posts, "post": number})
    for name in ("model", "quick"):
        ask(marta, "PATCH", f"/models/{ids[name]}", {"visibility": "public"})
    ask(marta, "POST", "/tokens", {"name": "The script on my laptop"})
    ask(marta, "POST", f"/queues/{ids['model']}/accounts", {"network": "feed"})
    proposed: list[Any] = ask(marta, "POST", f"/queues/{ids['model']}/proposals", {"n": 5})  # type: ignore[assignment]
    for proposal in proposed[:2]:
        ask(marta, "POST", f"/proposals/{proposal['id']}/approve", {})
    webhook = ask(marta, "POST", "/webhooks", {"url": "https://example.com/bots"})["id"]
    return {**ids, "generation": posts, "webhook": webhook, "search": searched(marta, ids["corpus"])}


def searched(marta: Person, corpus: str) -> str:
    """Search for the best settings of a quick bot in a few short trials; return the id of the search."""
    say("A search tries settings ...")
    space = {"learning_rate": {"low": 0.0005, "high": 0.008, "log": True}, "epochs": {"low": 1, "high": 3}}
    asked = {"corpus": corpus, "tier": "quick", "trials": 12, "seed": 7, "space": space}
    search: str = ask(marta, "POST", "/searches", asked)["id"]
    while ask(marta, "GET", f"/searches/{search}", {})["state"] != "done":
        marta.page.wait_for_timeout(2 * SECONDS)
    return search


def draw(marta: Person, browser: Browser, product: Product, ids: dict[str, str]) -> None:
    """Draw each page of the tour: on a computer in light, on a phone in dark."""
    for window, scheme, ending in ((DESK, "light", ""), (PHONE, "dark", "-phone")):
        options: dict[str, Any] = {"viewport": window, "color_scheme": scheme}
        with marta.other_device(**options) as owner, Person(browser, product, "nobody", **options) as visitor:
            for stop in (stop for part in stops.PARTS.values() for stop in part):
                person = visitor if stop.eyes == "visitor" else owner
                person.page.set_default_timeout(120 * SECONDS)
                shown = {**ids, "model": ids["quick"]} if stop.route.endswith("/browser/") else ids
                person.open(stop.route.format(**shown))
                person.page.wait_for_load_state("networkidle")
                webp.write(PICTURES / f"{stop.name}{ending}.webp", webp.picture_of(person.page, 55))
                say(f"{stop.name}{ending}")


def make() -> None:
    path = chromium()
    if path is None:
        sys.exit("No Chromium on this machine: install one, or name it in PLAYWRIGHT_CHROMIUM.")
    with tempfile.TemporaryDirectory(prefix="botfactory-tour-") as folder, sync_playwright() as playwright:
        product = Product(Path(folder))
        product.checkpoints.mkdir()
        for name in ("base", "fluent"):
            (product.checkpoints / name).symlink_to(ROOT / "checkpoints" / name)
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            product.start()
            marta, ids = flow(browser, product)
            draw(marta, browser, product, more(marta, ids))
        finally:
            browser.close()
            product.stop()
    (ROOT / "docs" / "tour.md").write_text(stops.page(), encoding="utf-8")
