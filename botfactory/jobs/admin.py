from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from botfactory.accounts.limits import LimitReached
from botfactory.jobs import events, kinds, services
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.states import State
from botfactory.web.desk import ReadOnlyAdmin
from botfactory.web.durations import lasting

_CANCELLED: Final = ngettext_lazy("%(count)s job cancelled.", "%(count)s jobs cancelled.", "count")
_QUEUED: Final = ngettext_lazy("%(count)s job queued again.", "%(count)s jobs queued again.", "count")
_MOVED: Final = ngettext_lazy("%(count)s job moved to the front.", "%(count)s jobs moved to the front.", "count")


class JobEventInline(admin.TabularInline[JobEvent, Job]):
    model = JobEvent
    template = "admin/jobs/events.html"
    extra = 0
    can_delete = False
    fields = ["sequence", "created_at", "kind", "payload"]
    readonly_fields = ["sequence", "created_at", "kind", "payload"]
    ordering = ["sequence"]

    def has_add_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, kinds.label_of(name)) for name in kinds.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin[Job]):
    list_display = [
        "headline",
        "what",
        "owner",
        "state",
        "place",
        "done",
        "created_at",
        "lasted",
        "worker",
    ]
    list_filter = ["state", KindFilter, "queue", "created_at"]
    search_fields = ["id", "title", "owner__username", "owner__email", "error_message", "worker"]
    list_select_related = ["owner"]
    date_hierarchy = "created_at"
    actions = ["cancel_jobs", "retry_jobs", "move_to_front"]
    inlines = [JobEventInline]

    @admin.display(description=_("place in the queue"))
    def place(self, job: Job) -> str:
        return "" if job.place is None else str(job.place.position)

    @admin.display(description=_("title"), ordering="title")
    def headline(self, job: Job) -> str:
        return job.shown_title

    @admin.display(description=_("kind"), ordering="kind")
    def what(self, job: Job) -> str:
        return kinds.label_of(job.kind)

    @admin.display(description=_("took"))
    def lasted(self, job: Job) -> str:
        return "" if job.took is None else lasting(job.took.total_seconds())

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changes = super().get_changelist_instance(request)
        changes.result_list = events.placed(changes.result_list)
        return changes

    @admin.display(description=_("progress"))
    def done(self, job: Job) -> str:
        fraction = 1 if job.state == State.SUCCEEDED else job.progress.get("fraction")
        return f"{100 * fraction:.0f} %" if isinstance(fraction, int | float) else ""

    @admin.action(description=_("Cancel the selected jobs"), permissions=["change"])
    def cancel_jobs(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        self._each(request, jobs, services.cancel, _CANCELLED)

    @admin.action(description=_("Try the selected jobs again"), permissions=["change"])
    def retry_jobs(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        self._each(request, jobs, services.retry, _QUEUED)

    @admin.action(description=_("Move the selected jobs to the front of their queues"), permissions=["change"])
    def move_to_front(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        # The last one to move comes first: the oldest.
        self._each(request, jobs.order_by("-created_at"), services.move_to_front, _MOVED)

    def losses(self, rows: Sequence[Job]) -> dict[str, int]:
        return {str(JobEvent._meta.verbose_name_plural): JobEvent.objects.filter(job__in=rows).count()}

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        services.delete_jobs(Job.objects.filter(pk=obj.pk))

    def _each(self, request: HttpRequest, jobs: QuerySet[Job], act: Callable[[Job], Job], done: Any) -> None:
        count = 0
        for job in jobs:
            try:
                act(job)
                count += 1
            except (NotPossible, LimitReached) as refusal:
                self.message_user(request, f"{job.shown_title}: {refusal}", messages.WARNING)
        if count:
            self.message_user(request, done % {"count": count}, messages.SUCCESS)
