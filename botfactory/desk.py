"""The base class of lists in the administration."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

Row = TypeVar("Row", bound=Model)


class ReadOnlyAdmin(admin.ModelAdmin[Row]):
    """Rows that only services create and change. People can edit only the fields in `editable`."""

    editable: ClassVar[frozenset[str]] = frozenset()
    #: The name of the list where it isn't the plural of its rows. May be a lazy translation.
    heading: ClassVar[Any] = ""

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> list[str]:
        return [field.name for field in self.model._meta.fields if field.name not in self.editable]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_actions(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the actions without Django's deletion, which leaves files behind. Lists have their own."""
        actions: dict[str, Any] = super().get_actions(request, *args, **kwargs)
        actions.pop("delete_selected", None)
        return actions
