"""All flows in one walk: on a desk and a phone, light and dark, in both languages.

CI walks once, on the look that differs most from what other tests use. `BOTFACTORY_LOOKS=all` walks in all eight.
"""

from __future__ import annotations

import os
import re
from functools import partial
from itertools import product as every

import pytest
from django.utils import translation
from playwright.sync_api import Browser, Locator, expect

from tests.conftest import PASSWORD
from tests.e2e.person import CORPUS, JOB, MODEL, SECONDS, TRAINING, Person
from tests.e2e.test_every_page import require_fit
from tests.product import Product

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
ALL = list(every(SIZES, ("light", "dark"), ("en", "de")))
LOOKS = ALL if os.environ.get("BOTFACTORY_LOOKS") == "all" else [("phone", "dark", "de")]


def said(language: str, text: str) -> str:
    with translation.override(language):
        found = translation.gettext(text)
    assert language == "en" or found != text or text == "Training", text
    return found


@pytest.mark.parametrize(("size", "scheme", "language"), LOOKS)
def test_all_flows(browser: Browser, product: Product, founder: Person, size: str, scheme: str, language: str) -> None:
    say = partial(said, language)
    looks = {"viewport": SIZES[size], "color_scheme": scheme, "locale": language}
    with Person(browser, product, f"{size}-{scheme}-{language}", **looks) as person:
        page = person.page

        def button(text: str) -> Locator:
            return page.get_by_role("button", name=say(text), exact=True)

        def tab(text: str) -> None:
            page.get_by_role("tab", name=say(text)).press("Enter")

        def seen(path: str = "") -> None:
            if path:
                person.open(path)
            require_fit(person)

        # In.
        seen("/")
        expect(page.locator("html")).to_have_attribute("lang", language)
        page.get_by_role("main").get_by_role("link", name=say("Sign up")).first.click()
        page.get_by_label(say("Username"), exact=True).fill(person.name)
        page.locator("#id_password1").fill(PASSWORD)
        page.locator("#id_password2").fill(PASSWORD)
        seen()
        button("Sign up").click()

        # From posts to a bot.
        page.wait_for_url(lambda url: "signup" not in url)
        seen("/corpora/new")
        button("Import her posts").click()
        page.wait_for_url(CORPUS)
        corpus = page.url
        seen(f"{corpus}clean")
        seen(f"{corpus}posts")
        seen(corpus)
        page.locator("#id_epochs").fill("1")
        button("Make the bot").click()
        page.wait_for_url(JOB)
        seen()
        page.wait_for_url(MODEL, timeout=TRAINING)
        bot = page.url

        # What it writes.
        posts = page.locator("#generation .post")
        expect(posts.first).to_be_visible(timeout=60 * SECONDS)
        expect(page.locator("form[data-writes] button[type=submit]").first).not_to_have_attribute(
            "aria-disabled", "true", timeout=60 * SECONDS
        )
        posts.first.get_by_role("button", name=re.compile("^" + say("Keep post %(number)s") % {"number": 1})).click()
        expect(posts.first.locator("[aria-pressed=true]")).to_have_count(1)
        why = posts.nth(1).get_by_role("link", name=re.compile(re.escape(say("Why post %(number)s?") % {"number": 2})))
        seen(why.get_attribute("href") or "")
        seen("/kept/")
        expect(page.locator("main .post")).to_have_count(1)
        seen("/compare/")
        seen(f"{bot}game")
        button("Play").click()
        expect(page.locator("h2[tabindex], h1[tabindex]").first).to_be_focused()
        seen()

        # To others.
        person.open(bot)
        tab("Sharing")
        page.get_by_label(say("In the gallery")).check()
        page.locator("#share").get_by_role("button", name=say("Save"), exact=True).click()
        expect(page.get_by_text(say("%(name)s is in the gallery.") % {"name": "Mrs. Kettle"})).to_be_visible()
        for name in ("Report card", "Training", "Download and settings"):
            tab(name)
            seen()
        seen("/gallery/")
        seen("/models/")
        seen("/jobs/")
        seen("/status/")

        # Out.
        seen("/account/")
        person.open("/accounts/logout/")
        seen()
        page.get_by_role("main").get_by_role("button", name=say("Sign out")).click()
        expect(page.get_by_role("main").get_by_role("link", name=say("Sign in"))).to_be_visible()
        person.require_no_complaints()
