"""The administrator's status page: workers, queues, failures, people, disks and GPUs."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from botfactory.ops import components, house, machine, workers


@require_safe
def state_of_the_house(request: HttpRequest) -> HttpResponse:
    """Show the state of the installation. It names jobs and people, so the person must be allowed to see both."""
    if not request.user.has_perms(["jobs.view_job", "accounts.view_user"]):
        raise PermissionDenied
    fails = components.failing()
    alive = [] if fails["broker"] else workers.alive()
    failures, queues, folders = house.failures(), house.queues(), machine.folders()
    context = {
        **admin.site.each_context(request),
        "title": _("System status"),
        "failing": [name.replace("_", " ") for name, failing in fails.items() if failing],
        "broker_answers": not fails["broker"],
        "workers": alive,
        "workers_gpus": any(worker.gpus for worker in alive),
        "unheard": workers.unheard(alive),
        "queues": queues,
        "running": sum(queue.running for queue in queues),
        "waiting": sum(queue.waiting for queue in queues),
        "failures": failures[: house.FAILURES_SHOWN],
        "failure_count": failures.count(),
        "people": house.people(),
        "folders": folders,
        "fullest": min(folders, key=lambda folder: folder.free, default=None),
        "too_little": machine.TOO_LITTLE,
        "little": machine.LITTLE,
        "gpus": machine.gpus(),
    }
    # The first page of the administration loads only the part, because workers take up to a second to answer.
    template = "admin/ops/house_part.html" if getattr(request, "htmx", False) else "admin/ops/house.html"
    return TemplateResponse(request, template, context)
