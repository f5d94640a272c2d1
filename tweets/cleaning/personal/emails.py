"""Find email addresses, also those that are spelled out: "name [at] example [dot] org", "name at gmail dot com"."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A handle with its server (@name@example.org) isn't one. Possessive, so hostile texts take linear time, too.
_EMAIL = re.compile(r"(?<![\w.+@＠-])[\w.+-]++[@＠](?:[\w-]{1,63}+\.){1,8}[^\W\d_]{2,24}+(?![@＠\d])")
_AT = re.compile(r"[\w.+-][@＠]\w")
_PROVIDERS = "gmail|googlemail|yahoo|hotmail|outlook|icloud|aol|live|proton(?:mail)?|gmx|web|mail|fastmail|zoho|yandex"
_ENDINGS = "com|org|net|edu|gov|info|co|io|me|de|fr|uk|es|it|eu|ch|at|nl|ca|au|in|us"
_AT_IN_BRACKETS = r"[\[({<]\s?(?:at|@)\s?[\])}>]"
_AT_A_PROVIDER = rf"\s(?:at|@)\s(?:{_PROVIDERS})"
_SPELLED_DOT = r"(?:\s?[\[({<]\s?(?:dot|\.)\s?[\])}>]\s?|\sdot\s)"
_DOT = rf"(?:{_SPELLED_DOT}|\s\.\s|\.)"
_SPELLED = re.compile(
    rf"(?<![\w.+-])[\w.+-]{{1,64}}+(?:{_SPELLED_DOT}[\w.+-]{{1,64}}+){{0,4}}"
    rf"(?:\s?{_AT_IN_BRACKETS}\s?(?:[\w-]{{1,63}}+{_DOT}){{1,4}}|{_AT_A_PROVIDER}{_DOT})(?:{_ENDINGS})\b",
    re.IGNORECASE,
)
_SPELLED_AT = re.compile(rf"{_AT_IN_BRACKETS}|{_AT_A_PROVIDER}", re.IGNORECASE)


def emails(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each email address."""
    if _AT.search(text):
        for found in _EMAIL.finditer(text):
            yield found.span()
    if may_spell_one(text):
        for found in _SPELLED.finditer(text):
            yield found.span()


def may_spell_one(text: str) -> bool:
    """Return whether the text may have an email address that is spelled out."""
    return _SPELLED_AT.search(text) is not None
