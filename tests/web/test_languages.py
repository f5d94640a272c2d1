"""Pages, errors and scripts use the language that the browser asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real

from botfactory.web import script_words
from botfactory.words.translatable import Sentence, counted_sentence, mark
from botfactory.words.translation import grouped, translated
from tests.mo_files import write_mo

ESPERANTO = {"Accept-Language": "eo"}


@pytest.fixture
def esperanto(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Esperanto as a second language, with a few texts."""
    write_mo(
        tmp_path / "eo/LC_MESSAGES/django.mo",
        {
            "The column %(name)s is empty.": "La kolumno %(name)s estas malplena.",
            "%(count)s row\0%(count)s rows": "%(count)s vico\0%(count)s vicoj",
        },
    )
    write_mo(tmp_path / "eo/LC_MESSAGES/djangojs.mo", {"%(n)s post\0%(n)s posts": "%(n)s afiŝo\0%(n)s afiŝoj"})
    settings.LANGUAGES = [("en", "English"), ("eo", "Esperanto")]
    settings.LOCALE_PATHS = [tmp_path]
    forget()
    yield
    translation.activate("en")
    forget()


def forget() -> None:
    trans_real._translations.pop("eo", None)  # type: ignore[attr-defined]
    script_words._texts.cache_clear()
    script_words._hash.cache_clear()


@pytest.mark.django_db
def test_a_person_can_choose_another_language_than_the_browser_asks_for(charlie: Client) -> None:
    page = charlie.get("/accounts/login/").content.decode()
    assert '<html lang="en"' in page and re.search(r'value="en"[^>]*aria-pressed="true"', page)
    answer = charlie.post("/language", {"language": "de"}, headers={"Referer": "http://testserver/accounts/login/"})
    assert answer["Location"] == "http://testserver/accounts/login/"
    page = charlie.get("/accounts/login/", headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="de"' in page and "Passwort" in page and re.search(r'value="de"[^>]*aria-pressed="true"', page)
    charlie.post("/language", {"language": "xx"})
    assert charlie.cookies[settings.LANGUAGE_COOKIE_NAME].value == ""
    assert '<html lang="en"' in charlie.get("/accounts/login/").content.decode()


def script_of(page: str) -> str | None:
    found = re.search(r'<script defer src="(/words/[^"]+)"></script>', page)
    return found[1] if found else None


def test_a_page_names_its_language_and_varies_with_it(esperanto: None, charlie: Client, db: None) -> None:
    for accepted, language in (("eo", "eo"), ("eo-XX, en;q=0.5", "eo"), ("de, en;q=0.5", "en"), ("", "en")):
        answer = charlie.get("/accounts/login/", headers={"Accept-Language": accepted})
        assert f'<html lang="{language}">' in answer.content.decode()
        assert answer["Content-Language"] == language and "Accept-Language" in answer["Vary"]


def test_pages_in_english_load_no_texts_for_scripts(esperanto: None, charlie: Client, db: None) -> None:
    assert script_of(charlie.get("/accounts/login/").content.decode()) is None
    assert charlie.get("/words/en.0.js").status_code == 404


def test_the_texts_of_scripts_are_kept_for_a_year(esperanto: None, charlie: Client, db: None) -> None:
    page = charlie.get("/accounts/login/", headers=ESPERANTO).content.decode()
    address = script_of(page)
    assert address is not None
    # Before the modules, which use it: deferred scripts and modules run in the order of the page.
    assert page.index(address) < page.index('type="module"')
    answer = charlie.get(address)
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert '"%(n)s afi\\u015doj"' in answer.content.decode()
    # Texts of the administration's scripts aren't included.
    assert "Choose all" not in answer.content.decode() and len(answer.content) < 10_000
    older = charlie.get(re.sub(r"\.\w+\.js", ".0123.js", address))
    assert (older["Cache-Control"], older.content) == ("no-cache", answer.content)


def test_sentences_of_pure_code_are_translated_when_they_are_shown(esperanto: None) -> None:
    empty = Sentence(mark("The column %(name)s is empty."), name="text")
    rows = [counted_sentence("%(count)s row", "%(count)s rows", number) for number in (1, 2000)]
    assert [empty, *rows] == ["The column text is empty.", "1 row", "2,000 rows"]
    assert [translated(said) for said in (empty, *rows, "100 %")] == [*map(str, (empty, *rows)), "100 %"]
    with translation.override("eo"):
        assert [translated(said) for said in (empty, *rows)] == [
            "La kolumno text estas malplena.",
            "1 vico",
            f"{grouped(2000)} vicoj",
        ]
        assert grouped(2000) == "2\xa0000"
