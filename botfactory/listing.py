"""Lists in pages: searched and filtered by a form whose fields are kept in the address."""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Model, Q, QuerySet

ROWS_ON_A_PAGE = 25
#: Of one, two, three or four in a row the last row is full.
CARDS_ON_A_PAGE = 24
Row = TypeVar("Row", bound=Model)


class ListForm(forms.Form):
    """What of a list is shown. What somebody typed into the address and can't be is told, and counts as not asked."""

    q = forms.CharField(max_length=200, required=False, label="Name")
    page = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)

    def asked(self, name: str) -> Any:
        """The value of the field, empty where it isn't valid."""
        self.is_valid()  # cleans, the first time
        return self.cleaned_data.get(name) or ""

    def address(self, **changed: Any) -> str:
        """The query that shows what this form shows, but for what is `changed`. The first page has no number."""
        values = {name: self.asked(name) for name in self.fields} | changed
        page = values.pop("page") or 1
        values |= {"page": page if page > 1 else ""}  # at the end of the address
        return urlencode({name: value for name, value in values.items() if value})

    @property
    def is_asked(self) -> bool:
        """Whether it leaves anything out."""
        return any(self.asked(name) for name in self.fields if name != "page")


class Listing(Generic[Row]):
    """One page of the rows that were found, and the way to the others."""

    def __init__(self, found: QuerySet[Row], form: ListForm, *, size: int = ROWS_ON_A_PAGE) -> None:
        self.form = form
        self.paginator = Paginator(found, size)
        self.page: Page[Row] = self.paginator.get_page(form.asked("page") or 1)
        self.rows: list[Row] = list(self.page.object_list)

    @property
    def status(self) -> int:
        """The status of the answer: 400 where the address asks for what can't be."""
        return 400 if self.form.errors else 200

    @property
    def is_searchable(self) -> bool:
        """Whether there is enough of it to be searched."""
        return self.form.is_asked or bool(self.form.errors) or self.paginator.num_pages > 1

    @property
    def back(self) -> str:
        return f"?{self.form.address(page=self.page.previous_page_number())}" if self.page.has_previous() else ""

    @property
    def on(self) -> str:
        return f"?{self.form.address(page=self.page.next_page_number())}" if self.page.has_next() else ""

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """The first, the last and the pages around this one, each with its address; gaps and this one have none."""
        numbers = self.paginator.get_elided_page_range(self.page.number, on_each_side=1, on_ends=1)
        return [
            (
                str(number),
                "" if number in (self.page.number, Paginator.ELLIPSIS) else f"?{self.form.address(page=number)}",
            )
            for number in numbers
        ]


def holding(words: str, *fields: str) -> Q:
    """What has each of the words, in any case, in one of the fields."""
    found = Q()
    for word in words.split():
        found &= reduce(or_, (in_any_case(field, word) for field in fields))
    return found


def in_any_case(field: str, text: str) -> Q:
    """What has this text in the field, in any case."""
    if connection.vendor == "sqlite" and not text.isascii():  # its LIKE knows the case of ASCII only
        return Q(**{f"{field}__iregex": re.escape(text)})
    return Q(**{f"{field}__icontains": text})
