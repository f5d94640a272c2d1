from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.desk import ReadOnlyAdmin
from models_app import integrity, registry, report_cards, services
from models_app.base_models import services as bases
from models_app.models import Generation, TrainedModel
from models_app.sharing import rights as sharing
from tweets.errors import CorpusError


def share_of(model: TrainedModel, measure: str) -> str:
    """The share of the bot in a measure of its report card; a dash where there is none."""
    share = model.report.get(measure, {}).get("bot")
    return "–" if share is None else f"{share:.0%}"


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin[TrainedModel]):
    editable = frozenset({"name"})
    list_display = [
        "name",
        "owner",
        "is_base",
        "origin",
        "retired",
        "visibility",
        "parent_name",
        "corpus_name",
        "posts",
        "bits_per_character",
        "novelty",
        "voice",
        "seconds",
        "stored",
        "created_at",
    ]
    list_filter = ["is_base", "origin", "visibility", ("retired_at", admin.EmptyFieldListFilter), "created_at"]
    search_fields = ["id", "name", "owner__username", "owner__email", "corpus_name", "parent_name", "sha256"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    actions = [
        "make_base",
        "retire",
        "bring_back",
        "verify_files",
        "make_report_cards",
        "make_private",
        "delete_with_files",
    ]

    @admin.display(boolean=True, ordering="retired_at")
    def retired(self, model: TrainedModel) -> bool:
        return model.retired_at is not None

    @admin.display(description="stored", ordering="stored_bytes")
    def stored(self, model: TrainedModel) -> str:
        return filesizeformat(model.stored_bytes)

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
        try:
            bases.promote(model, by=cast(User, request.user))
        except bases.BaseError as error:
            self.message_user(request, str(error), messages.WARNING)
            return
        self.message_user(request, f"New bots start from {model} now.", messages.SUCCESS)

    @admin.action(description="Retire: nobody starts from the selected models", permissions=["change"])
    def retire(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        for model in models:
            try:
                services.retire(model)
            except services.StillBase as error:
                self.message_user(request, str(error), messages.WARNING)

    @admin.action(description="Bring the selected models back from retirement", permissions=["change"])
    def bring_back(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        for model in models:
            services.bring_back(model)

    @admin.action(description="Hash the files of the selected models and compare", permissions=["view"])
    def verify_files(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        sound = 0
        for model in models:
            if trouble := integrity.trouble_of(model):
                self.message_user(request, f"{model}: {trouble.what}. What helps: {trouble.advice}.", messages.ERROR)
            else:
                sound += 1
        if sound:
            self.message_user(request, f"{sound}: the files are those that were registered.", messages.SUCCESS)

    @admin.action(description="Make the report cards of the selected models anew (jobs)", permissions=["change"])
    def make_report_cards(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        queued = 0
        for model in models:
            try:
                report_cards.remake(model, by=cast(User, request.user))
                queued += 1
            except (services.ModelError, CorpusError, LimitReached) as error:
                self.message_user(request, f"{model}: {error}", messages.WARNING)
        if queued:
            self.message_user(request, f"{queued} queued: they are among your jobs.", messages.SUCCESS)

    @admin.action(description="Make private: only their owners find the selected models", permissions=["change"])
    def make_private(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        shared = models.exclude(visibility=TrainedModel.Visibility.PRIVATE)
        by = cast(User, request.user)
        count = len([sharing.share(model, TrainedModel.Visibility.PRIVATE, by=by) for model in shared])
        self.message_user(request, f"{count} private now.", messages.SUCCESS)

    @admin.action(description="Delete the selected models with their files", permissions=["delete"])
    def delete_with_files(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        count = 0
        for model in models:
            try:
                registry.delete(model)
                count += 1
            except (registry.NoBaseModel, registry.KeptVersion) as error:
                self.message_user(request, str(error), messages.WARNING)
        if count:
            self.message_user(request, f"{count} deleted.", messages.SUCCESS)

    def has_delete_permission(self, request: HttpRequest, obj: TrainedModel | None = None) -> bool:
        if obj is not None and not registry.may_go(obj):
            return False
        return super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: TrainedModel) -> None:
        registry.delete(obj)


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin[Generation]):
    list_display = ["model", "owner", "count", "seconds", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["id", "model__name", "owner__username"]
    list_select_related = ["model", "model__owner", "owner"]
    date_hierarchy = "created_at"

    @admin.display(description="posts")
    def count(self, generation: Generation) -> int:
        return len(generation.posts)
