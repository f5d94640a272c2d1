"""Lists in pages, searched and filtered by a form whose fields are part of the address."""

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
from django.utils.translation import gettext_lazy as _

ROWS_ON_A_PAGE = 25
#: Fills the last row for one, two, three or four cards in a row.
CARDS_ON_A_PAGE = 24
#: A list with at most this many rows needs no search.
SHORT = 7
Row = TypeVar("Row", bound=Model)


class ListForm(forms.Form):
    """The filters of a list. An invalid value in the address shows an error and is otherwise ignored."""

    q = forms.CharField(max_length=200, required=False, label=_("Name"))
    page = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)

    def asked(self, name: str) -> Any:
        """Return the value of the field, or "" if it is invalid."""
        self.is_valid()  # cleans, the first time
        return self.cleaned_data.get(name) or ""

    def address(self, **changed: Any) -> str:
        """Return the query string of this form, with changes. The first page has no number."""
        values = {name: self.asked(name) for name in self.fields} | changed
        page = values.pop("page") or 1
        values |= {"page": page if page > 1 else ""}  # at the end of the address
        return urlencode({name: value for name, value in values.items() if value})

    @property
    def is_asked(self) -> bool:
        """Whether a filter is set. The order and the page are none."""
        return any(self.asked(name) for name in self.fields if name not in ("page", "sort"))

    @property
    def selects(self) -> list[forms.BoundField]:
        """The fields with choices: the filters, and the order if the list has several."""
        return [self[name] for name, field in self.fields.items() if isinstance(field, forms.ChoiceField)]


class Listing(Generic[Row]):
    """One page of the rows that were found, with links to the other pages."""

    def __init__(self, found: QuerySet[Row], form: ListForm, *, size: int = ROWS_ON_A_PAGE) -> None:
        self.form = form
        self.paginator = Paginator(found, size)
        self.page: Page[Row] = self.paginator.get_page(form.asked("page") or 1)
        self.rows: list[Row] = list(self.page.object_list)

    @property
    def status(self) -> int:
        """The status of the answer: 400 if a value in the address is invalid."""
        return 400 if self.form.errors else 200

    @property
    def is_searchable(self) -> bool:
        """Whether to show the search form: the list is long or already filtered."""
        return self.form.is_asked or bool(self.form.errors) or self.paginator.count > SHORT

    @property
    def back(self) -> str:
        return f"?{self.form.address(page=self.page.previous_page_number())}" if self.page.has_previous() else ""

    @property
    def on(self) -> str:
        return f"?{self.form.address(page=self.page.next_page_number())}" if self.page.has_next() else ""

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """The first page, the last, and those around this one, with their addresses. Gaps and this page have ""."""
        numbers = self.paginator.get_elided_page_range(self.page.number, on_each_side=1, on_ends=1)
        return [
            (
                str(number),
                "" if number in (self.page.number, Paginator.ELLIPSIS) else f"?{self.form.address(page=number)}",
            )
            for number in numbers
        ]


def holding(words: str, *fields: str) -> Q:
    """Match rows that contain each of the words in one of the fields, ignoring case."""
    found = Q()
    for word in words.split():
        found &= reduce(or_, (in_any_case(field, word) for field in fields))
    return found


def in_any_case(field: str, text: str) -> Q:
    """Match rows that contain the text in the field, ignoring case."""
    if connection.vendor == "sqlite" and not text.isascii():  # its LIKE ignores case only in ASCII
        return Q(**{f"{field}__iregex": re.escape(text)})
    return Q(**{f"{field}__icontains": text})
