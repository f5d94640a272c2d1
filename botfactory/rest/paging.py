"""Pages of lists: `after` is the id of the last item of the previous page, `limit` the number of items."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, TypedDict, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from pydantic import Field

from botfactory.rest.errors import bad_value
from botfactory.rest.schemas import Input

MAX, DEFAULT = 100, 20
Row = TypeVar("Row", bound=Model)
Shown = TypeVar("Shown")


class PageQuery(Input):
    """The base of the queries of lists: `query: Query[JobFilters]`, where `class JobFilters(PageQuery)`."""

    after: uuid.UUID | None = Field(None, description="The id of the last item of the previous page.")
    limit: int = Field(DEFAULT, ge=1, le=MAX, description="The largest number of items.")


class PageDict(TypedDict):
    data: list[Any]
    has_more: bool


def page_of(
    rows: QuerySet[Row],
    query: PageQuery,
    show: Callable[[list[Row]], Iterable[Shown]],
    *,
    among: QuerySet[Row] | None = None,
    by: str = "created_at",
) -> PageDict:
    """Return the page of `rows` that `query` asks for, newest first by `by`. New rows don't shift it.

    If `rows` are filtered, `among` are all rows that the person may see. The last item of a page is then found even if
    it no longer passes the filter.
    """
    ordered = rows.order_by(f"-{by}", "-pk")
    if query.after is not None:
        last = (rows if among is None else among).filter(pk=query.after).values(by).first()
        if last is None:
            raise bad_value("after", _("The item with this id no longer exists. Start again without `after`."))
        ordered = ordered.filter(Q(**{f"{by}__lt": last[by]}) | Q(**{by: last[by], "pk__lt": query.after}))
    found = list(ordered[: query.limit + 1])
    return PageDict(data=list(show(found[: query.limit])), has_more=len(found) > query.limit)
