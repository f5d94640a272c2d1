"""The pages that are about everything: the dashboard, the front page for visitors, and the style guide."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from botfactory import styleguide as parts
from botfactory.jobs import events
from botfactory.jobs import services as jobs
from models_app import services as models
from tweets import services as corpora


@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return render(request, "welcome.html")
    own_jobs = jobs.jobs_for_user(request.user)
    context = {
        "active_jobs": events.placed(jobs.active_jobs(own_jobs)),
        "ended_jobs": own_jobs.exclude(pk__in=jobs.active_jobs(own_jobs))[:5],
        "models": models.models_for_user(request.user)[:24],
        "corpora": corpora.with_trouble(corpora.corpora_for_user(request.user))[:24],
    }
    return render(request, "dashboard.html", context)


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show all parts of the design system to those who work on it: administrators and, with DEBUG, everybody."""
    if not (settings.DEBUG or getattr(request.user, "is_staff", False)):
        raise Http404("Only administrators see the style guide.")
    return render(request, "styleguide.html", parts.context())
