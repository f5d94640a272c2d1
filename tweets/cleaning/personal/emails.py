"""Find email addresses, also those that are spelled out: "name [at] example [dot] org", "name at gmail dot com"."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A handle with its server (@name@example.org) isn't one. Possessive, so hostile texts take linear time, too.
_EMAIL = re.compile(r"(?<![\w.+@＠-])[\w.+-]++[@＠](?:[\w-]{1,63}+\.){1,8}[^\W\d_]{2,24}+(?![@＠\d_-])")
_AT = re.compile(r"[\w.+-][@＠]\w")
_PROVIDERS = "gmail|googlemail|yahoo|hotmail|outlook|icloud|aol|live|proton(?:mail)?|gmx|web|mail|fastmail|zoho|yandex"
_MARKS = ("dot", " . ", "mail", "yahoo.", "outlook.", "icloud.", "[at]", "(at)")
_ENDINGS = "com|org|net|edu|gov|info|co|io|me|de|fr|uk|es|it|eu|ch|at|nl|ca|au|in|us"
_DOT = r"(?:\s?[\[({<]\s?(?:dot|\.)\s?[\])}>]\s?|\s(?:dot|\.)\s|\.)"
_SPELLED = re.compile(
    rf"(?<![\w.+-])[\w.+-]{{1,64}}+(?:\s?[\[({{<]\s?(?:at|@)\s?[\])}}>]\s?(?:[\w-]{{1,63}}+{_DOT}){{1,4}}"
    rf"|\s(?:at|@)\s(?:{_PROVIDERS}){_DOT})(?:{_ENDINGS})\b",
    re.IGNORECASE,
)


def emails(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each email address."""
    if _AT.search(text):
        for found in _EMAIL.finditer(text):
            yield found.span()
    lower = text.lower()
    if any(map(lower.__contains__, _MARKS)):
        for found in _SPELLED.finditer(text):
            yield found.span()
