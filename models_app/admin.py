from __future__ import annotations

from typing import Final, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat, floatformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.web.desk import ReadOnlyAdmin, number_column
from botfactory.web.durations import lasting
from botfactory.words.translation import grouped, translated
from models_app.bases import services as bases
from models_app.bots import integrity, registry, versions
from models_app.bots.errors import ModelError, StillBase
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.training import report_cards
from models_app.writing import demo
from models_app.writing.keeping import reports
from models_app.writing.keeping.rows import PostReport
from models_app.writing.rows import Generation
from tweets.corpora.errors import CorpusError

#: Seconds from which on fractions of a second don't matter.
_LONG: Final = 10


def share_of(model: TrainedModel, measure: str) -> str:
    """Return the bot's share for a measure of its report card, or a dash if there is none."""
    share = model.report.get(measure, {}).get("bot")
    return "–" if share is None else f"{share:.0%}"


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin[TrainedModel]):
    editable = frozenset({"name"})
    list_display = [
        "name",
        "owner",
        "is_base",
        "tier",
        "origin",
        "retired",
        "visibility",
        "is_demo",
        "parent_name",
        "corpus_name",
        "learned",
        "bits",
        "novelty",
        "voice",
        "told_apart",
        "lasted",
        "stored",
        "created_at",
    ]
    list_filter = ["is_base", "tier", "origin", "visibility", ("retired_at", admin.EmptyFieldListFilter), "created_at"]
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
        "make_demo",
        "end_demo",
    ]

    @admin.display(description=gettext_lazy("retired"), boolean=True, ordering="retired_at")
    def retired(self, model: TrainedModel) -> bool:
        return model.retired_at is not None

    learned = number_column("posts", gettext_lazy("posts"))

    @admin.display(description=gettext_lazy("bits per character"), ordering="bits_per_character")
    def bits(self, model: TrainedModel) -> str:
        return "–" if model.bits_per_character is None else floatformat(model.bits_per_character, 3)

    @admin.display(description=gettext_lazy("took"), ordering="seconds")
    def lasted(self, model: TrainedModel) -> str:
        return "–" if model.seconds is None else lasting(model.seconds)

    @admin.display(description=gettext_lazy("size"), ordering="stored_bytes")
    def stored(self, model: TrainedModel) -> str:
        return filesizeformat(model.stored_bytes)

    @admin.display(description=gettext_lazy("new posts"))
    def novelty(self, model: TrainedModel) -> str:
        return share_of(model, "novelty")

    @admin.display(description=gettext_lazy("voice"))
    def voice(self, model: TrainedModel) -> str:
        return share_of(model, "voice")

    @admin.display(description=gettext_lazy("told apart"))
    def told_apart(self, model: TrainedModel) -> str:
        found = model.report.get("told_apart")
        return f"{found['share']:.0%}" if found else "–"

    @admin.action(description=gettext_lazy("Make the selected model the base model"), permissions=["change"])
    def make_base(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        if models.count() != 1:
            self.message_user(request, _("Choose exactly one model to be the base model."), messages.WARNING)
            return
        model = models.get()
        try:
            bases.promote(model, by=cast(User, request.user))
        except bases.BaseError as error:
            self.message_user(request, translated(error), messages.WARNING)
            return
        self.message_user(request, _("New bots start from %(name)s now.") % {"name": model}, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Retire the selected models: nobody can start from them"), permissions=["change"]
    )
    def retire(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        retired = 0
        for model in models:
            try:
                registry.retire(model)
                retired += 1
            except StillBase as error:
                self.message_user(request, translated(error), messages.WARNING)
        if retired:
            message = ngettext("%(count)s model is retired.", "%(count)s models are retired.", retired)
            self.message_user(request, message % {"count": grouped(retired)}, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Bring the selected models back from retirement"), permissions=["change"])
    def bring_back(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        for model in models:
            registry.bring_back(model)
        message = ngettext("%(count)s model is back.", "%(count)s models are back.", len(models))
        self.message_user(request, message % {"count": grouped(len(models))}, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Verify the files of the selected models"), permissions=["view"])
    def verify_files(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        sound = 0
        for model in models:
            if trouble := integrity.trouble_of(model):
                message = _("%(name)s: %(problem)s. To fix it, %(advice)s.")
                values = {"name": model, "problem": trouble.what, "advice": trouble.advice}
                self.message_user(request, message % values, messages.ERROR)
            else:
                sound += 1
        if sound:
            message = ngettext("%(count)s model is intact.", "%(count)s models are intact.", sound)
            self.message_user(request, message % {"count": grouped(sound)}, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Remake the report cards of the selected models (as jobs)"), permissions=["change"]
    )
    def make_report_cards(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        queued = 0
        for model in models:
            try:
                report_cards.remake(model, by=cast(User, request.user))
                queued += 1
            except (ModelError, CorpusError, LimitReached) as error:
                message = _("%(name)s: %(problem)s")
                self.message_user(request, message % {"name": model, "problem": translated(error)}, messages.WARNING)
        if queued:
            message = ngettext("%(count)s job queued. See Jobs.", "%(count)s jobs queued. See Jobs.", queued)
            self.message_user(request, message % {"count": grouped(queued)}, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Make the selected models private: only their owners can find them"),
        permissions=["change"],
    )
    def make_private(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        shared = models.exclude(visibility=TrainedModel.Visibility.PRIVATE)
        by = cast(User, request.user)
        count = len([sharing.share(model, TrainedModel.Visibility.PRIVATE, by=by) for model in shared])
        message = ngettext("%(count)s model is private now.", "%(count)s models are private now.", count)
        self.message_user(request, message % {"count": grouped(count)}, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Let the selected bot write on the front page for visitors"), permissions=["change"]
    )
    def make_demo(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        if models.count() != 1:
            self.message_user(request, _("Choose exactly one bot to write on the front page."), messages.WARNING)
            return
        model = models.get()
        try:
            demo.choose(model, by=cast(User, request.user))
        except sharing.SharingError as error:
            self.message_user(request, translated(error), messages.WARNING)
            return
        if demo.demo_bot() is None:
            message = _("%(name)s will write on the front page once visitors can see the gallery (House rules).")
        else:
            message = _("%(name)s writes on the front page now.")
        self.message_user(request, message % {"name": model}, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Stop the selected bots from writing on the front page"), permissions=["change"]
    )
    def end_demo(self, request: HttpRequest, models: QuerySet[TrainedModel]) -> None:
        for model in models:
            demo.dismiss(model, by=cast(User, request.user))
        self.message_user(request, _("The selected bots no longer write on the front page."), messages.SUCCESS)

    def has_delete_permission(self, request: HttpRequest, obj: TrainedModel | None = None) -> bool:
        if obj is not None and not versions.may_go(obj):
            return False
        return super().has_delete_permission(request, obj)

    def refusal(self, request: HttpRequest, row: TrainedModel) -> str:
        try:
            versions.require_may_go(row)
        except (versions.NoBaseModel, versions.KeptVersion) as error:
            return f"{row}: {translated(error)}"
        return super().refusal(request, row)

    def delete_model(self, request: HttpRequest, obj: TrainedModel) -> None:
        registry.delete(obj, by=cast(User, request.user))


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin[Generation]):
    list_display = ["model", "owner", "count", "lasted", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["id", "model__name", "owner__username"]
    list_select_related = ["model", "model__owner", "owner"]
    date_hierarchy = "created_at"

    @admin.display(description=gettext_lazy("posts"))
    def count(self, generation: Generation) -> str:
        return grouped(len(generation.posts))

    @admin.display(description=gettext_lazy("took"), ordering="seconds")
    def lasted(self, generation: Generation) -> str:
        if generation.seconds >= _LONG:
            return lasting(generation.seconds)
        return _("%(seconds)s s") % {"seconds": floatformat(generation.seconds, 2)}


@admin.register(PostReport)
class PostReportAdmin(ReadOnlyAdmin[PostReport]):
    list_display = ["text", "reason", "note", "model", "owner", "reporter", "created_at", "is_open"]
    list_filter = [("closed_at", admin.EmptyFieldListFilter), "reason", "created_at"]
    search_fields = ["text", "note", "model__name", "reporter__username", "model__owner__username"]
    list_select_related = ["model__owner", "reporter"]
    date_hierarchy = "created_at"
    actions = ["close"]

    @admin.display(description=gettext_lazy("owner"), ordering="model__owner__username")
    def owner(self, report: PostReport) -> str:
        return report.model.owner.username if report.model.owner else "–"

    @admin.display(description=gettext_lazy("open"), boolean=True, ordering="closed_at")
    def is_open(self, report: PostReport) -> bool:
        return report.closed_at is None

    @admin.action(description=gettext_lazy("Mark the selected reports as done"), permissions=["change"])
    def close(self, request: HttpRequest, found: QuerySet[PostReport]) -> None:
        count = reports.close(found)
        message = ngettext("%(count)s report marked as done.", "%(count)s reports marked as done.", count)
        self.message_user(request, message % {"count": grouped(count)}, messages.SUCCESS)
