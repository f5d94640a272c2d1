from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from botfactory.accounts.models import User
from botfactory.desk import DeskAdmin
from tweets import services
from tweets.models import AuditEntry, Corpus


@admin.register(Corpus)
class CorpusAdmin(DeskAdmin[Corpus]):
    editable = frozenset({"name"})
    list_display = [
        "name",
        "owner",
        "source",
        "basis",
        "state",
        "posts_found",
        "posts_kept",
        "characters",
        "created_at",
    ]
    list_filter = ["state", "source", "basis", "created_at"]
    search_fields = ["id", "name", "handle", "owner__username", "owner__email"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    actions = ["delete_with_files"]

    @admin.action(description="Delete the selected corpora with their posts, files and jobs", permissions=["delete"])
    def delete_with_files(self, request: HttpRequest, corpora: QuerySet[Corpus]) -> None:
        count = corpora.count()
        for corpus in corpora:
            services.delete_corpus(corpus, by=cast(User, request.user))
        self.message_user(request, f"{count} deleted.", messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Corpus) -> None:
        services.delete_corpus(obj, by=cast(User, request.user))


@admin.register(AuditEntry)
class AuditEntryAdmin(DeskAdmin[AuditEntry]):
    list_display = ["at", "action", "about", "who_name"]
    list_display_links = ["about"]
    list_filter = ["action", "at"]
    search_fields = ["about", "who_name", "subject_id"]
    date_hierarchy = "at"

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False
