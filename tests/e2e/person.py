"""A person at a browser: their actions, in the words of the product, and the browser's complaints."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response, expect
from playwright.sync_api import Error as PlaywrightError

from tests.conftest import PASSWORD
from tests.product import Product

CORPUS = re.compile(r"/corpora/[0-9a-f-]{36}/$")
JOB = re.compile(r"/jobs/[0-9a-f-]{36}/$")
MODEL = re.compile(r"/models/[0-9a-f-]{36}/$")
SECONDS = 1000
#: Other things share the two cores, so starting TensorFlow can take a while.
TRAINING = 180 * SECONDS

expect.set_options(timeout=15 * SECONDS)

#: Tells pages to remember what had the focus.
LOST_FOCUS = Path(__file__).with_name("lost_focus.js")

#: Who has signed up: the address of the product, and the name.
_ACCOUNTS: set[tuple[str, str]] = set()


class Person:
    def __init__(self, browser: Browser, product: Product, name: str, **options: Any) -> None:
        self.name = name
        self.product = product
        self._browser = browser
        # Animations cost a core here, and prove nothing.
        usual = {"viewport": {"width": 1280, "height": 900}, "base_url": product.url, "reduced_motion": "reduce"}
        options = {**usual, **options}
        self.context: BrowserContext = browser.new_context(**options)
        self.context.add_init_script(path=LOST_FOCUS)
        self.complaints: list[str] = []
        self.page = self.new_page()

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.close()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(45 * SECONDS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        return page

    def other_device(self, **options: Any) -> Person:
        """Return the same person, signed in on another device."""
        state = self.context.storage_state()
        return Person(self._browser, self.product, self.name, storage_state=state, **options)

    def _hear(self, message: ConsoleMessage) -> None:
        # Every error and warning counts, including CSP violations. The tests cause 4xx answers on purpose.
        if message.type in {"error", "warning"} and "the server responded with a status of 4" not in message.text:
            self.complaints.append(f"{message.location.get('url')}: {message.text}")

    def require_no_complaints(self) -> None:
        assert self.complaints == [], self.complaints

    def require_focus(self, seconds: float = 10) -> None:
        """Fail if the focus is lost on the open page, once the page had time to put it somewhere."""
        for _ in range(round(seconds * 10)):
            # The page may lead elsewhere at this moment, for example from a training to its bot.
            with suppress(PlaywrightError):
                if not self.page.evaluate("window.lostFocus?.()"):
                    return
            self.page.wait_for_timeout(100)
        assert not self.page.evaluate("window.lostFocus?.()"), f"{self.page.url} lost the focus"

    def open(self, path: str) -> Response:
        try:
            response = self.page.goto(path)
        except PlaywrightError:
            # The page led elsewhere at this moment, for example from a training to its bot.
            response = self.page.goto(path)
        assert response is not None
        return response

    def sign_up_or_in(self) -> None:
        # An address may only sign up a few times a minute, so who has an account signs in.
        account = (self.product.url, self.name)
        is_known = account in _ACCOUNTS
        self.open("/accounts/login/" if is_known else "/accounts/signup/")
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        if not is_known:
            self.page.get_by_label("Password (again)").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in" if is_known else "Sign up").click()
        expect(self.page.get_by_role("link", name="Dashboard")).to_be_visible()
        _ACCOUNTS.add(account)

    def paste(self, posts: list[str], name: str) -> str:
        """Import the posts and return the address of their page, which is then open."""
        self.open("/corpora/new")
        self.page.get_by_label("Pasted text").check()
        self.page.get_by_label("Posts, one on each line").fill("\n".join(posts))
        self.page.get_by_label("Name").fill(name)
        self.bring()
        return self.wait_for_corpus()

    def choose_file(self, file: Path) -> None:
        """Choose a file in the import form, whichever way an earlier draft has chosen."""
        self.page.locator("#way-file").check()
        self.page.get_by_label("Your file").set_input_files(file)

    def bring(self) -> None:
        """Send the import form, as the author of the posts."""
        self.page.get_by_label("My own account").check()
        self.page.get_by_role("button", name="Import posts").click()

    def wait_for_corpus(self) -> str:
        self.page.wait_for_url(CORPUS, timeout=60 * SECONDS)
        return self.page.url

    def train(self, corpus: str, *, epochs: int, name: str = "") -> str:
        """Queue a training and return the address of its page, which is then open."""
        self.open(corpus)
        self.page.get_by_label("Epochs").fill(str(epochs))
        self.page.get_by_label("Name of the bot").fill(name)
        self.page.get_by_role("button", name="Make the bot").click()
        self.page.wait_for_url(JOB)
        return self.page.url

    def cancel(self) -> None:
        """Cancel the job of the open page. A running training asks first."""
        self.page.get_by_role("button", name="Cancel", exact=True).press("Enter")
        sure = self.page.get_by_role("button", name="Cancel the training")
        expect(sure.or_(self.page.locator("[data-live-state].cancelled"))).to_be_visible()
        if sure.is_visible():
            sure.press("Enter")
        self.wait_for_state("Cancelled", timeout=60 * SECONDS)

    def wait_for_state(self, state: str, *, timeout: float = TRAINING) -> None:
        expect(self.page.locator("[data-live-state]")).to_have_text(state, timeout=timeout)

    def trained_bot(self, corpus: str, *, epochs: int, name: str) -> str:
        """Train a bot and return the address of its page, which is then open."""
        self.train(corpus, epochs=epochs, name=name)
        self.wait_for_bot()
        return self.page.url

    def open_base(self) -> str:
        """Open the page of the base model, which writes without a training, and return its address."""
        self.open("/compare/")
        base = self.page.locator(
            "select[name=bot] option[data-action]", has_text=re.compile(r"\bbas(e|is)", re.IGNORECASE)
        )
        self.open(str(base.first.get_attribute("data-action")).removesuffix("generate"))
        return self.page.url

    def wait_for_bot(self) -> None:
        """Wait until the training is done, which opens the page of the bot."""
        self.page.wait_for_url(MODEL, timeout=TRAINING)

    def stay(self) -> None:
        """Press "Stay here" as soon as the open training offers it: on a busy machine, a click from here comes late."""
        stay_when_asked(self.page)

    def figure(self, name: str) -> Locator:
        return self.page.locator(f"[data-figure={name}]")


def stay_when_asked(page: Page) -> None:
    page.evaluate(
        """() => {
          const stay = document.getElementById("stay");
          const look = setInterval(() => stay?.checkVisibility() && (clearInterval(look), stay.click()), 50);
        }"""
    )


def epochs_shown(page: Page) -> list[str]:
    """The numbers of the epochs in the table of losses, in order."""
    cells = page.locator("#losses tbody th").all_inner_texts()
    return [cell.split()[0] for cell in cells]
