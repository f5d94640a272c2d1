from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from botfactory.accounts.limits import LimitReached
from botfactory.jobs import events, kinds, services
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.forms import JobsForm
from botfactory.jobs.models import Job
from botfactory.web.listing import Listing
from botfactory.web.numbers import whole_number
from botfactory.words.translation import translated


def job_or_404(request: HttpRequest, job_id: uuid.UUID) -> Job:
    try:
        return services.job_for_user(request.user, job_id)
    except Job.DoesNotExist:
        raise Http404("There is no such job.") from None


@login_required
@require_GET
def job_list(request: HttpRequest) -> HttpResponse:
    """List the person's jobs in pages, active ones first."""
    own = services.jobs_for_user(request.user)
    form = JobsForm(request.GET, kinds=kinds.among(own.order_by().values_list("kind", flat=True).distinct()))
    filters = {"kind": form.asked("kind"), "state": form.asked("state"), "sort": form.asked("sort")}
    found = services.find(own, words=form.asked("q"), **filters)
    listing = Listing(found, form)
    context = {"form": form, "listing": listing, "jobs": events.placed(listing.rows), "beginnings": kinds.beginnings()}
    return render(request, "jobs/list.html", context, status=listing.status)


@login_required
@require_GET
def job_page(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    job = job_or_404(request, job_id)
    kind = kinds.kind_of(job.kind)
    more = kind.context(job) if kind.context is not None else {}
    return render(request, kind.template, {"job": job, "kind": kind, "snapshot": events.snapshot(job), **more})


@login_required
@require_GET
def job_events(request: HttpRequest, job_id: uuid.UUID) -> JsonResponse:
    """Return what the socket sends, for pages without one: they poll every few seconds."""
    job = job_or_404(request, job_id)
    after = whole_number(request.GET.get("after", ""))
    response = JsonResponse(dict(events.snapshot(job, after=after)))
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def job_action(request: HttpRequest, job_id: uuid.UUID, action: str) -> HttpResponse:
    """Cancel, stop or retry a job. The answer is the job's page, or its new state for a script.

    If a cancel would throw away what "stop" keeps, a page asks first. A script has asked already.
    """
    job = job_or_404(request, job_id)
    by_script = request.headers.get("Accept", "").startswith("application/json")
    if action == "cancel" and services.asks_before_cancel(job) and not by_script and "confirmed" not in request.POST:
        return render(request, "jobs/cancel.html", {"job": job, "kind": kinds.kind_of(job.kind)})
    act = {"cancel": services.cancel, "stop": services.stop, "retry": services.retry}[action]
    error: dict[str, Any] | None = None
    try:
        act(job)
    except (NotPossible, LimitReached) as refusal:
        error = {"code": refusal.code, "message": translated(refusal)}
    except Job.DoesNotExist:
        raise Http404("The job has been deleted meanwhile.") from None
    if by_script:
        job = job_or_404(request, job_id)
        return JsonResponse({"error": error, "job": events.job_json(job)}, status=409 if error else 200)
    if error:
        messages.warning(request, error["message"])
    return redirect("job", job_id=job.pk)


@login_required
@require_POST
def delete_job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Delete a job that has ended."""
    job = job_or_404(request, job_id)
    try:
        services.delete_ended(job)
    except NotPossible as refusal:
        messages.warning(request, translated(refusal))
        return redirect("job", job_id=job.pk)
    messages.success(request, _("%(title)s was deleted.") % {"title": job.shown_title})
    return redirect("jobs")
