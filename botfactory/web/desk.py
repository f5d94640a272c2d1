"""The base class of lists in the administration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db.models import CASCADE, Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from botfactory.words.translation import grouped

#: The most rows that one action deletes. Each one is a field of the page that asks for confirmation.
MAX_DELETED_AT_ONCE: Final = 500

Row = TypeVar("Row", bound=Model)


def number_column(field: str, description: Any) -> Callable[[Any, Any], str]:
    """Return a column of a list: the whole numbers of a field as the language of the page writes them."""

    @admin.display(description=description, ordering=field)
    def shown(_admin: Any, row: Any) -> str:
        return grouped(getattr(row, field))

    return shown


class ReadOnlyAdmin(admin.ModelAdmin[Row]):
    """Rows that only services create and change. People can edit only the fields in `editable`.

    `delete_model` deletes one row with everything that belongs to it; deleting several calls it for each. A page counts
    beforehand what will be deleted (`losses`), and names the rows that can't be (`refusal`).
    """

    editable: ClassVar[frozenset[str]] = frozenset()
    #: The name of the list where it isn't the plural of its rows. May be a lazy translation.
    heading: ClassVar[Any] = ""

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> list[str]:
        return [field.name for field in self.model._meta.fields if field.name not in self.editable]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_actions(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request, *args, **kwargs)
        if "delete_selected" in actions:
            _function, *words = actions["delete_selected"]
            actions["delete_selected"] = (_delete_selected, *words)
        return actions

    def losses(self, rows: Sequence[Row]) -> dict[str, int]:
        """Return how many rows of other tables are deleted with these, by their plural nouns."""
        counts = {}
        for relation in self.model._meta.related_objects:
            if relation.on_delete is CASCADE:
                theirs = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": rows})
                counts[str(relation.related_model._meta.verbose_name_plural)] = theirs.count()
        return counts

    def refusal(self, request: HttpRequest, row: Row) -> str:
        """Return why this row can't be deleted, or ""."""
        return "" if self.has_delete_permission(request, row) else str(row)

    def get_deleted_objects(
        self, objs: Sequence[Row] | QuerySet[Row], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return what would be deleted: the rows, and numbers of what goes with them. Django would list each post."""
        rows, plural = list(objs), str(self.opts.verbose_name_plural)
        counts = {plural: len(rows), **{noun: number for noun, number in self.losses(rows).items() if number}}
        if not self.has_delete_permission(request):
            return [], counts, {plural}, []
        kept = [refusal for row in rows if (refusal := self.refusal(request, row))]
        return [str(row) for row in rows], counts, set(), kept

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Row]) -> None:
        for row in queryset:
            self.delete_model(request, row)


def _delete_selected(desk: ReadOnlyAdmin[Any], request: HttpRequest, rows: QuerySet[Any]) -> Any:
    """Delete the rows after a confirmation, unless they are too many for one page."""
    if rows.count() > MAX_DELETED_AT_ONCE:
        told = _("You can delete at most %(most)s rows at once. Select fewer.")
        desk.message_user(request, told % {"most": grouped(MAX_DELETED_AT_ONCE)}, messages.WARNING)
        return None
    return delete_selected(desk, request, rows)
