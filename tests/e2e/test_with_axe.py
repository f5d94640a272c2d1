"""axe-core finds nothing to mend on any page, in both themes: the administration and the API reference included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Error

from tests.conftest import PASSWORD
from tests.e2e.conftest import Shelf
from tests.e2e.person import SECONDS, TRAINING, Person
from tests.product import Product, wait_for
from tests.routes import routes
from tests.test_access import FILES, FOR_DESIGNERS, NOBODYS, OPEN_PAGES, OWN_PAGES, ROUTES

AXE: Final = settings.BASE_DIR / "node_modules" / "axe-core" / "axe.min.js"
#: What the theme decides.
COLOURS: Final = ["color-contrast", "link-in-text-block"]
#: Everything that a page can show without another request, all at once.
UNFOLD: Final = """() => {
    for (const details of document.querySelectorAll("details:not([data-menu])")) details.open = true;
    for (const panel of document.querySelectorAll("[role=tabpanel][hidden]")) panel.hidden = false;
}"""
FIND: Final = """async ([where, rules]) => {
    const options = {resultTypes: ["violations"], ...(rules && {runOnly: rules})};
    const {violations} = await axe.run(where, options);
    return violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) =>
        `${id}: ${target.join(" ")}: ${failureSummary.split("\\n")[1].trim()}`));
}"""
FIND_IN_DIALOGS: Final = """async () => {
    const found = [];
    for (const dialog of document.querySelectorAll("dialog")) {
        dialog.showModal();
        const {violations} = await axe.run(dialog, {resultTypes: ["violations"]});
        found.push(...violations.map(({id, nodes}) => `${id}: ${nodes[0].target}`));
        dialog.close();
    }
    return found;
}"""


class Inspector:
    """A person who opens pages and collects what axe finds on them."""

    def __init__(self, person: Person) -> None:
        self.page = person.page
        self.context = person.context
        self.page.context.add_init_script(path=AXE)
        self.seen: set[str] = set()
        self.found: dict[str, list[str]] = {}

    def open(self, path: str) -> None:
        """Inspect the page at `path`, unless it redirects to one that was seen. Pages of errors count."""
        self.page.emulate_media(color_scheme="light")
        try:
            response = self.page.goto(path)
        except Error as error:
            # Routes that only take a POST answer without a page.
            assert "ERR_HTTP_RESPONSE_CODE_FAILURE" in str(error), error
            return
        assert response is not None
        # Each error has one page.
        place = urlsplit(self.page.url).path if response.ok else f"error {response.status}"
        if place in self.seen or not response.headers["content-type"].startswith("text/html"):
            return
        self.seen.add(place)
        self.page.evaluate(UNFOLD)
        # The navigation of the administration is the same everywhere.
        where = {"exclude": [".sections"]} if place.startswith("/admin/") and place != "/admin/" else "html"
        self._collect(f"{path} in light", FIND, [where, None])
        self._collect(f"{path}, dialogs", FIND_IN_DIALOGS)
        self.page.emulate_media(color_scheme="dark")
        self._collect(f"{path} in dark", FIND, [where, COLOURS])

    def _collect(self, name: str, script: str, argument: Any = None) -> None:
        if found := self.page.evaluate(script, argument):
            self.found[name] = found


def ask(person: Person, method: str, path: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a request to the API by the person's session."""
    token = next(cookie["value"] for cookie in person.context.cookies() if cookie["name"] == "csrftoken")
    answer = person.context.request.fetch(
        f"/api/v1{path}", method=method, data=data, headers={"X-CSRFToken": token}, timeout=TRAINING
    )
    assert answer.ok, answer.text()
    answered: dict[str, Any] = answer.json()
    return answered


def id_in(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]


@pytest.fixture
def axe() -> None:
    """Skip without axe-core, which `make test` installs."""
    if not AXE.exists():
        pytest.skip("axe-core isn't installed: make node_modules/.ready-dev")


@pytest.fixture
def things(alice: Person, shelf: Shelf) -> dict[str, str]:
    """One of each kind of thing that is alice's, for the names in routes."""
    alice.open("/accounts/reauthenticate/?next=/tokens/")
    alice.page.get_by_label("Password").fill(PASSWORD)
    alice.page.get_by_label("Password").press("Enter")
    alice.page.wait_for_url("/tokens/")
    model = id_in(shelf.model)
    generation = ask(alice, "POST", f"/models/{model}/generate", {"n": 3})["id"]
    return {
        **NOBODYS,
        "corpus": id_in(shelf.corpus),
        "job": id_in(shelf.job),
        "model": model,
        "generation": generation,
        "kept": ask(alice, "POST", "/kept", {"generation": generation})["id"],
        "search": searched(alice, id_in(shelf.corpus)),
        "token": ask(alice, "POST", "/tokens", {"name": "A program with axe"})["id"],
        "webhook": ask(alice, "POST", "/webhooks", {"url": "https://example.org/axe"})["id"],
    }


def searched(person: Person, corpus: str) -> str:
    """Search for the best settings with two trials, and return its id when both have ended."""
    space = {"epochs": {"choices": [1]}, "learning_rate": {"choices": [0.001, 0.002]}}
    asked = {"corpus": corpus, "tier": "quick", "trials": 2, "space": space}
    search: str = ask(person, "POST", "/searches", asked)["id"]
    seconds = TRAINING / SECONDS
    wait_for("both trials", lambda: ask(person, "GET", f"/searches/{search}")["state"] == "done", seconds, pause=1)
    return search


def pages_of(things: dict[str, str]) -> Iterator[str]:
    """Yield the addresses of the product's pages. tests/test_access.py knows each of them."""
    shown = [route for route, (status, _) in {**ROUTES, **OWN_PAGES}.items() if status != 405]
    for route in [*shown, *OPEN_PAGES, *FOR_DESIGNERS]:
        if route not in FILES:
            yield route.format(**{"report": "1", **things})


def inspect_the_administration(desk: Inspector) -> None:
    """Open each page of it, and one row of each list."""
    for route in routes():
        if route.startswith("/admin/") and "{" not in route:
            desk.open(route)
            row = desk.page.locator("#result_list a[href*='/change/']").first
            if row.count():
                there = urlsplit(str(row.get_attribute("href"))).path
                desk.open(there)
                if "/tweets/corpus/" in there:
                    desk.open(there.replace("change/", "history/"))
                    desk.open(there.replace("change/", "delete/"))


def test_axe_finds_nothing_on_any_page(
    browser: Browser, product: Product, alice: Person, bob: Person, things: dict[str, str], axe: None
) -> None:
    model = things["model"]
    ask(alice, "PATCH", f"/models/{model}", {"visibility": "public"})
    posts = ask(bob, "POST", f"/gallery/{model}/generate", {"n": 2})["id"]
    with alice.other_device(bypass_csp=True) as device:
        owner = Inspector(device)
        for path in pages_of(things):
            owner.open(path)
        inspect_the_administration(owner)
        assert len(owner.seen) > 70
    with bob.other_device(bypass_csp=True) as device:
        guest = Inspector(device)
        for path in ("/", "/corpora/", "/kept/", f"/gallery/{model}/", f"/generations/{posts}/report", "/nowhere"):
            guest.open(path)
    with Person(browser, product, "nobody", bypass_csp=True) as nobody:
        visitor = Inspector(nobody)
        for path in ("/", *(route.format(**things) for route in OPEN_PAGES)):
            visitor.open(path)
    ask(alice, "PATCH", f"/models/{model}", {"visibility": "private"})
    found = {**owner.found, **guest.found, **visitor.found}
    assert found == {}
