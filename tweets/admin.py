from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from botfactory.desk import DeskAdmin
from tweets import services
from tweets.models import Corpus


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
            services.delete_corpus(corpus)
        self.message_user(request, f"{count} deleted.", messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Corpus) -> None:
        services.delete_corpus(obj)
