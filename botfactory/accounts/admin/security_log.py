"""The security log in the administration."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from botfactory.accounts.models import SecurityEntry
from botfactory.web.desk import ReadOnlyAdmin


@admin.register(SecurityEntry)
class SecurityEntryAdmin(ReadOnlyAdmin[SecurityEntry]):
    """The security log, read-only."""

    list_display = ["at", "action", "who_name", "by_name", "address", "times"]
    list_display_links = ["at", "action"]
    list_filter = ["action", "at"]
    search_fields = ["who_name", "by_name", "address"]
    date_hierarchy = "at"
    fields = ["at", "action", "who_name", "by_name", "address", "times", "details"]

    def has_change_permission(self, request: HttpRequest, obj: SecurityEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SecurityEntry | None = None) -> bool:
        return False
