"""Whose rows somebody with rights to a list can change and delete."""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

from django.contrib import admin
from django.db.models import ForeignKey, Model
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from botfactory.accounts.models import User

ONLY_FOR_ADMINISTRATORS: Final = gettext_lazy("%(person)s is an administrator. Only administrators can do that.")

Row = TypeVar("Row", bound=Model)


def person_of(request: HttpRequest) -> User:
    """Return who works in the administration."""
    return cast(User, request.user)


class AboutPeople(admin.ModelAdmin[Row]):
    """People, or rows with a `user`. Only administrators can add, change and delete those of administrators.

    Others with rights to this list could become administrators otherwise.
    """

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_delete_permission(request, obj)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **options: Any
    ) -> ModelChoiceField[Any] | None:
        """Offer no administrators as the person of a new row, except to administrators."""
        if db_field.name == "user" and not person_of(request).is_superuser:
            options["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **options)

    def _may_touch(self, request: HttpRequest, row: Row | None) -> bool:
        person: Any = row if isinstance(row, User) else getattr(row, "user", None)
        return person is None or not person.is_superuser or person_of(request).is_superuser
