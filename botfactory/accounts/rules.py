"""The house rules: what the administrator has decided for everybody, else what the settings say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from botfactory.accounts.models import HouseRules


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that hold now."""

    #: Whether bots may be in the gallery; without it there is none.
    public_sharing: bool
    #: Whether those who are not signed in may look at the gallery.
    open_gallery: bool


def house_rules() -> Rules:
    row = HouseRules.objects.filter(pk=HouseRules.THE_ROW).first() or HouseRules()
    return Rules(
        public_sharing=settings.PUBLIC_SHARING if row.public_sharing is None else row.public_sharing,
        open_gallery=settings.OPEN_GALLERY if row.open_gallery is None else row.open_gallery,
    )


def row() -> HouseRules:
    """The row, which the administrator changes."""
    return HouseRules.objects.get_or_create(pk=HouseRules.THE_ROW)[0]


def for_pages(request: HttpRequest) -> dict[str, Any]:
    """`house` in templates; asked for where a page looks at it."""
    return {"house": SimpleLazyObject(house_rules)}
