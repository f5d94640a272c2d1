from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.person import TRAINING, Person
from tests.fakes import x_api_server
from tests.fakes.posts import make_posts
from tests.fakes.x_api_server import XApiServer
from tests.product import Product, running
from tests.webhooks.receiver import Receiver

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]

LONG_POSTS = [
    "w" * 280,
    "😀" * 140,
    f"see https://example.com/{'a' * 200} there",
    "<script>alert(1)</script> <b>bold</b>",
]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The addresses of a corpus, of a training on it and of its bot."""

    corpus: str
    job: str
    model: str

    @property
    def pages(self) -> list[str]:
        return [self.corpus, f"{self.corpus}clean", f"{self.corpus}posts", self.job, self.model, f"{self.model}game"]


def chromium() -> str | None:
    """Return the path of Chromium: PLAYWRIGHT_CHROMIUM, or else an installed one."""
    if named := os.environ.get("PLAYWRIGHT_CHROMIUM"):
        return named
    places = ["/usr/bin/chromium", *map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))]
    return next((place for place in places if place and Path(place).exists()), None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("No Chromium on this machine: install one, or name it in PLAYWRIGHT_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def x_api() -> Iterator[XApiServer]:
    with XApiServer() as server:
        yield server


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    """A local server that webhooks are allowed to use."""
    with Receiver() as server:
        yield server


@pytest.fixture(scope="package")
def product(
    browser: Browser, x_api: XApiServer, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """The whole product, started once for all tests here. Tests are skipped without Chromium."""
    folder = tmp_path_factory.mktemp("product")
    with running(
        folder,
        X_API_URL=x_api.url,
        X_BEARER_TOKEN=x_api_server.TOKEN,
        WEBHOOK_PRIVATE_SERVERS=receiver.url,
    ) as open_product:
        yield open_product


@pytest.fixture(scope="package")
def founder(browser: Browser, product: Product) -> Iterator[Person]:
    """The first person to sign up, and so the administrator."""
    with Person(browser, product, "alice") as person:
        person.sign_up_or_in()
        yield person


@pytest.fixture(scope="package")
def shelf(founder: Person) -> Shelf:
    """A corpus with long words, and a bot from a training of ten epochs that was stopped after the first."""
    corpus = founder.paste([*make_posts(300, seed=21), *LONG_POSTS], "Shelf " + "w" * 60)
    job = founder.train(corpus, epochs=10, name="Bot " + "w" * 60)
    expect(founder.page.locator("#losses tbody tr")).not_to_have_count(0, timeout=TRAINING)
    founder.page.get_by_role("button", name="Stop and keep the best").click()
    founder.wait_for_bot()
    return Shelf(corpus, job, founder.page.url)


@pytest.fixture
def alice(founder: Person) -> Iterator[Person]:
    """The founder at a fresh page. Any complaint of the browser fails the test, and so does a focus that is lost."""
    founder.complaints.clear()
    founder.open("/")
    yield founder
    founder.require_focus()
    founder.require_no_complaints()


@pytest.fixture
def desk(alice: Person) -> Iterator[Person]:
    """Another device of Alice, whose session a test may end."""
    with alice.other_device() as desk:
        yield desk


@pytest.fixture
def bob(browser: Browser, product: Product, founder: Person) -> Iterator[Person]:
    """Somebody else who is signed in."""
    with Person(browser, product, "bob") as person:
        person.sign_up_or_in()
        yield person
