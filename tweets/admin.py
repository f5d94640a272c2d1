from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from tweets import services
from tweets.models import Corpus


@admin.register(Corpus)
class CorpusAdmin(admin.ModelAdmin[Corpus]):
    list_display = ["name", "owner", "source", "state", "posts_found", "posts_kept", "characters", "created_at"]
    list_filter = ["state", "source", "created_at"]
    search_fields = ["id", "name", "handle", "owner__username", "owner__email"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    actions = ["delete_with_files"]

    def get_readonly_fields(self, request: HttpRequest, obj: Corpus | None = None) -> list[str]:
        return [field.name for field in Corpus._meta.fields if field.name != "name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_actions(self, request: HttpRequest):  # type: ignore[no-untyped-def]
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description="Delete the selected corpora with their posts, files and jobs", permissions=["delete"])
    def delete_with_files(self, request: HttpRequest, corpora: QuerySet[Corpus]) -> None:
        count = corpora.count()
        for corpus in corpora:
            services.delete_corpus(corpus)
        self.message_user(request, f"{count} deleted.", messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Corpus) -> None:
        services.delete_corpus(obj)
