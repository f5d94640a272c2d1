"""Show texts of pure code (botfactory.words.translatable), stored texts and numbers in the active language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from botfactory.words.translatable import Sentence


def translated(said: object) -> str:
    """Return a sentence or an error of pure code in the active language; whatever has no template, as it is."""
    template: str = getattr(said, "template", "")
    if not template:
        return str(said)
    values: Mapping[str, Any] = getattr(said, "values", {})
    if plural := getattr(said, "plural", ""):
        template = ngettext(template, plural, values["count"])
    else:
        template = gettext(template)
    return template % {name: _shown(value) for name, value in values.items()} if values else template


def stored(said: object) -> dict[str, Any]:
    """Return what `restored` needs beside the English text, as JSON: the template and its values.

    Empty for a text without values, which is its own template.
    """
    template, values = getattr(said, "template", ""), getattr(said, "values", {})
    if not template or not values:
        return {}
    return {
        "template": template,
        "plural": getattr(said, "plural", ""),
        "values": {name: _storable(value) for name, value in values.items()},
    }


def restored(text: str, words: Mapping[str, Any]) -> str:
    """Return a stored text in the active language. `words`: what `stored` returned for it."""
    if not text or not words:
        return gettext(text) if text else ""
    # A value may be empty. Spaces that don't break are those of numbers.
    return re.sub(" {2,}", " ", translated(recalled(text, words))).strip(" ")


def recalled(text: str, words: Mapping[str, Any]) -> Sentence:
    """Return a stored text as the sentence that it was, to translate it later. `words`: as for `restored`."""
    sentence = str.__new__(Sentence, text)
    sentence.template, sentence.plural = words.get("template", text), words.get("plural", "")
    sentence.values = {
        name: recalled(value["text"], value["words"]) if isinstance(value, dict) else value
        for name, value in words.get("values", {}).items()
    }
    return sentence


def grouped(number: int) -> str:
    """Return a number as the active language writes it: "2,000" in English."""
    return number_format(number, force_grouping=True)


def _storable(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if getattr(value, "template", ""):
        return {"text": str(value), "words": stored(value)}
    return str(value)


def _shown(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return grouped(value)
    return translated(value) if isinstance(value, str | Exception) else value
