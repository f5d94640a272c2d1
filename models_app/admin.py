from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from botfactory.desk import DeskAdmin
from models_app import registry, services
from models_app.models import Generation, TrainedModel


def share_of(model: TrainedModel, measure: str) -> str:
    """The share of the bot in a measure of its report card; a dash where there is none."""
    share = model.report.get(measure, {}).get("bot")
    return "–" if share is None else f"{share:.0%}"


@admin.register(TrainedModel)
class TrainedModelAdmin(DeskAdmin[TrainedModel]):
    editable = frozenset({"name"})
    list_display = [
        "name",
        "owner",
        "is_base",
        "retired",
        "parent_name",
        "corpus_name",
        "posts",
        "bits_per_character",
        "novelty",
        "voice",
        "seconds",
        "created_at",
    ]
    list_filter = ["is_base", ("retired_at", admin.EmptyFieldListFilter), "created_at"]
    search_fields = ["id", "name", "owner__username", "owner__email", "corpus_name", "parent_name", "sha256"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    actions = ["make_base", "retire", "bring_back", "delete_with_files"]

    @admin.display(boolean=True, ordering="retired_at")
    def retired(self, model: TrainedModel) -> bool:
        return model.retired_at is not None

    @admin.display(description="new posts")
    def novelty(self, model: TrainedModel) -> str:
        return share_of(model, "novelty")

    @admin.display(description="voice")
    def voice(self, model: TrainedModel) -> str:
        return share_of(model, "voice")

    @admin.action(description="Make the selected model the base model", permissions=["change"])
    def make_base(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        if models.count() != 1:
            self.message_user(request, "Choose exactly one model to be the base model.", messages.WARNING)
            return
        model = models.get()
        registry.make_base(model)
        self.message_user(request, f"New bots start from {model} now.", messages.SUCCESS)

    @admin.action(description="Retire: nobody starts from the selected models", permissions=["change"])
    def retire(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        bases = models.filter(is_base=True)
        if bases.exists():
            self.message_user(
                request, "The base model cannot be retired: make another one the base model first.", messages.WARNING
            )
        for model in models.filter(is_base=False):
            services.retire(model)

    @admin.action(description="Bring the selected models back from retirement", permissions=["change"])
    def bring_back(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        models.update(retired_at=None)

    @admin.action(description="Delete the selected models with their files", permissions=["delete"])
    def delete_with_files(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        count = 0
        for model in models:
            try:
                registry.delete(model)
                count += 1
            except registry.NoBaseModel as error:
                self.message_user(request, str(error), messages.WARNING)
        if count:
            self.message_user(request, f"{count} deleted.", messages.SUCCESS)

    def has_delete_permission(self, request: HttpRequest, obj: TrainedModel | None = None) -> bool:
        if obj is not None and (obj.is_base or obj.directory == registry.BASE_DIRECTORY):
            return False
        return super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: TrainedModel) -> None:
        registry.delete(obj)


@admin.register(Generation)
class GenerationAdmin(DeskAdmin[Generation]):
    list_display = ["model", "owner", "count", "seconds", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["id", "model__name", "owner__username"]
    list_select_related = ["model", "model__owner", "owner"]
    date_hierarchy = "created_at"

    @admin.display(description="posts")
    def count(self, generation: Generation) -> int:
        return len(generation.posts)
