"""A language in which each text is between marks, ⟦like this⟧. A text without marks would stay English everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import NullTranslations
from html.parser import HTMLParser

from django.utils import translation
from django.utils.translation import trans_real

#: A language that Django knows, with a comma in its decimals, and that no page of ours is written in.
CODE = "eo"
BEGIN, END = "⟦", "⟧"
#: Between the context of a message and the message.
CONTEXT = "\x04"
#: Attributes that people read or hear.
READ = {"alt", "aria-label", "aria-description", "aria-roledescription", "label", "placeholder", "title"}
BUTTONS = {"submit", "reset", "button"}
#: What scripts and browsers read as a number.
NUMBERS = re.compile(r"min|max|step|value|data-(?!losses)[a-z]+")
# Keys are what a keyboard has, in each language.
SILENT = {"script", "style", "code", "kbd", "svg"}


class Marked(NullTranslations):
    """Translates each message to itself, between marks."""

    def gettext(self, message: str) -> str:
        return f"{BEGIN}{message.rpartition(CONTEXT)[2]}{END}"

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.gettext(singular if number == 1 else plural)

    def language(self) -> str:
        return CODE

    to_language = language


@contextmanager
def marked() -> Iterator[None]:
    """Provide the language under CODE, which must be one of settings.LANGUAGES."""
    known: dict[str, object] = trans_real._translations  # type: ignore[attr-defined]
    before = known.get(CODE)
    known[CODE] = Marked()
    try:
        yield
    finally:
        translation.activate("en")
        known.pop(CODE)
        if before is not None:
            known[CODE] = before


class Reader(HTMLParser):
    """Collects the texts of a page outside of marks, and numbers that no script understands."""

    def __init__(self) -> None:
        super().__init__()
        self.unmarked: list[str] = []
        self.bad_numbers: list[str] = []
        self._depth = 0
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        # What says that it is English stays English: the texts of the API.
        if tag in SILENT or values.get("lang") == "en":
            self._silent.append(tag)
        read = READ | ({"value"} if tag == "input" and values.get("type") in BUTTONS else set())
        for name, value in values.items():
            if name in read:
                self.unmarked += outside(value)[0]
            elif NUMBERS.fullmatch(name) and re.fullmatch(r"-?[\d\xa0]+(,\d+)?", value) and not value.isdecimal():
                self.bad_numbers.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            found, self._depth = outside(data, self._depth)
            self.unmarked += found


def outside(text: str, depth: int = 0) -> tuple[list[str], int]:
    """Return the pieces with letters that are outside of marks, and how deep inside marks the text ends."""
    found, piece = [], ""
    for character in text:
        if character == BEGIN:
            depth += 1
        elif character == END:
            depth -= 1
        elif depth == 0:
            piece += character
            continue
        found.append(piece)
        piece = ""
    found.append(piece)
    return [" ".join(piece.split()) for piece in found if re.search(r"[^\W\d_]", piece)], depth


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader
