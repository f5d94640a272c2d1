"""Show texts of pure code (botfactory.translatable) and numbers in the active language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext


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


def grouped(number: int) -> str:
    """Return a number as the active language writes it: "2,000" in English."""
    return number_format(number, force_grouping=True)


def _shown(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return grouped(value)
    return translated(value) if isinstance(value, str | Exception) else value
