from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from botfactory.accounts.models import User
from botfactory.web.desk import ReadOnlyAdmin, number_column
from tweets.corpora import deletion, opt_out
from tweets.models import BLEND, AuditEntry, Corpus, OptOut
from tweets.pages.forms import OptOutForm
from tweets.sources.registry import SOURCES, kind_of, network_of

#: What was made from corpora, as opt-outs count it and the audit log stores it (models_app/pages/made_from.py).
MADE: Final = {"bots": _("bots"), "outputs": _("generations")}


def _label_of(source: str) -> str:
    """Return the name of a source for people. One that was taken out of the product keeps its name for programs."""
    if source == BLEND:
        return capfirst(gettext("blend"))
    return capfirst(gettext(kind_of(source).label)) if source in SOURCES else source


def _named(gone: opt_out.Losses) -> opt_out.Losses:
    """Return the same losses with nouns in the active language."""
    return replace(gone, made={str(MADE.get(name, name)): number for name, number in gone.made.items()})


class SourceFilter(admin.SimpleListFilter):
    """The sources of which there are corpora, by their names for people."""

    title = _("source")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        there = Corpus.objects.order_by("source").values_list("source", flat=True).distinct()
        return [(source, _label_of(source)) for source in there]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Corpus]) -> QuerySet[Corpus]:
        return queryset.filter(source=self.value()) if self.value() else queryset


@admin.register(Corpus)
class CorpusAdmin(ReadOnlyAdmin[Corpus]):
    editable = frozenset({"name"})
    list_display = [
        "name",
        "owner",
        "where_from",
        "basis",
        "state",
        "found",
        "kept",
        "length",
        "stored",
        "created_at",
    ]
    list_filter = ["state", SourceFilter, "basis", "created_at"]
    search_fields = ["id", "name", "handle", "owner__username", "owner__email"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"

    @admin.display(description=_("source"), ordering="source")
    def where_from(self, corpus: Corpus) -> str:
        return _label_of(corpus.source)

    found = number_column("posts_found", _("posts found"))
    kept = number_column("posts_kept", _("posts kept"))
    length = number_column("characters", _("characters"))

    @admin.display(description=_("stored"), ordering="stored_bytes")
    def stored(self, corpus: Corpus) -> str:
        return filesizeformat(corpus.stored_bytes)

    def losses(self, rows: Sequence[Corpus]) -> dict[str, int]:
        gone = deletion.count(rows)
        return {gettext("posts"): gone.posts, gettext("files"): gone.files, gettext("jobs"): gone.jobs}

    def delete_model(self, request: HttpRequest, obj: Corpus) -> None:
        gone = deletion.delete_corpus(obj, by=cast(User, request.user))
        said = gettext("Deleted %(name)s: %(gone)s.") % {"name": obj.name, "gone": gone}
        self.message_user(request, said, messages.SUCCESS)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ["at", "action", "about", "who_name"]
    list_display_links = ["about"]
    list_filter = ["action", "at"]
    search_fields = ["about", "who_name", "subject_id"]
    date_hierarchy = "at"

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False


@admin.register(OptOut)
class OptOutAdmin(ReadOnlyAdmin[OptOut]):
    """Adding a handle first shows everything connected to it, and deletes that after a confirmation."""

    editable = frozenset({"note"})
    list_display = ["handle", "network", "note", "by", "created_at"]
    list_filter = ["network", "created_at"]
    search_fields = ["handle", "note"]
    list_select_related = ["by"]
    actions = ["delete_what_there_is"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tweets.add_optout")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = OptOutForm(request.POST or None)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Add opt-out"),
            "opts": self.opts,
            "form": form,
        }
        if form.is_valid():
            account = form.cleaned_data["account"]
            if "confirmed" in request.POST:
                gone = opt_out.add(
                    network=account.network,
                    handle=account.handle,
                    note=form.cleaned_data["note"],
                    by=cast(User, request.user),
                )
                said = gettext("%(handle)s is on the list. Deleted: %(gone)s.")
                self.message_user(request, said % {"handle": account.handle, "gone": _named(gone)}, messages.SUCCESS)
                return redirect("admin:tweets_optout_changelist")
            context |= {
                "account": account.handle,
                "network_name": network_of(account.network).label,
                "losses": _named(opt_out.losses(account.network, account.handle)),
            }
        return render(request, "admin/tweets/optout/add.html", context)

    @admin.action(description=_("Delete the data of the selected handles again"), permissions=["delete"])
    def delete_what_there_is(self, request: HttpRequest, entries: QuerySet[OptOut]) -> None:
        for entry in entries:
            gone = opt_out.enforce(entry, by=cast(User, request.user))
            said = gettext("Deleted for %(handle)s: %(gone)s.") % {"handle": entry, "gone": _named(gone)}
            self.message_user(request, said, messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: OptOut) -> None:
        opt_out.take_off(obj, by=cast(User, request.user))
