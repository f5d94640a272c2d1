"""German is complete: every text of pages, errors, mails and scripts has a translation that keeps its placeholders.

A text without one would stay English in the middle of a German page. How to add one: docs/development.md.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings

from tests import texts

FOLDER = Path(settings.BASE_DIR) / "locale/de/LC_MESSAGES"
DOMAINS = {"django": texts.of_python_and_templates, "djangojs": texts.of_scripts}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
TAG = re.compile(r"</?\w+[^>]*>")


def catalog(domain: str) -> Catalog:
    with (FOLDER / f"{domain}.po").open("rb") as file:
        return read_po(file, locale="de", domain=domain)


def key_of(message: Message) -> texts.Key:
    return message.context, message.id if isinstance(message.id, str) else message.id[0]


def sides(message: Message) -> list[tuple[str, str]]:
    """Return each text of the source with its translation."""
    translation = message.string or ""
    if isinstance(message.id, str):
        return [(message.id, str(translation))]
    return list(zip(message.id, translation, strict=True))


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_text_is_translated_and_none_is_left_over(domain: str) -> None:
    known = {key_of(message): message for message in catalog(domain) if message.id}
    asked = DOMAINS[domain]()
    assert len(asked) > 100
    assert asked - set(known) == set(), "run makemessages and translate these"
    assert set(known) - asked == set(), "nobody shows these any more"
    empty = [key for key, message in known.items() if message.fuzzy or not all(text for _, text in sides(message))]
    assert empty == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_translation_has_the_placeholders_and_tags_of_its_source(domain: str) -> None:
    wrong = []
    for message in catalog(domain):
        for number, (source, text) in enumerate(sides(message) if message.id else []):
            wanted, found = Counter(PLACEHOLDER.findall(source)), Counter(PLACEHOLDER.findall(text))
            # The singular may say the number as a word.
            may_lack = isinstance(message.id, tuple) and number == 0
            fits = found <= wanted if may_lack else found == wanted
            edges = [(side[:1].isspace(), side[-1:].isspace()) for side in (source, text)]
            if not fits or Counter(TAG.findall(source)) != Counter(TAG.findall(text)) or edges[0] != edges[1]:
                wrong.append((source, text))
    assert wrong == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_compiled_catalog_is_the_written_one(domain: str) -> None:
    made = io.BytesIO()
    write_mo(made, catalog(domain))
    assert (FOLDER / f"{domain}.mo").read_bytes() == made.getvalue(), "run: pybabel compile -d locale -D " + domain
