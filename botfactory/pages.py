"""The pages that are about everything: the dashboard, the front page for visitors, and the style guide."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from botfactory import styleguide as parts
from botfactory.jobs import events
from botfactory.jobs import services as jobs
from botfactory.jobs.states import State
from models_app import services as models
from models_app import showing
from models_app.keeping import reports
from models_app.sharing import demo
from tweets import services as corpora


@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        shown = showing.on_the_front_page(request.user)
        writing = showing.with_demo_posts(demo.demo_bot())
        example = writing or next(iter(shown), None)
        return render(request, "welcome.html", {"example": example, "is_demo": bool(writing), "shared": shown[:6]})
    own_jobs = jobs.jobs_for_user(request.user)
    ended_jobs = list(own_jobs.exclude(pk__in=jobs.active_jobs(own_jobs))[:5])
    context = {
        "active_jobs": events.placed(jobs.active_jobs(own_jobs)),
        "ended_jobs": ended_jobs,
        "failed_jobs": [job for job in ended_jobs if job.state == State.FAILED],
        "reported": reports.waiting_for(request.user),
        "models": showing.with_last_posts(models.models_for_user(request.user)[:24], request.user),
        "corpora": corpora.with_trouble(corpora.corpora_for_user(request.user))[:24],
    }
    return render(request, "dashboard.html", context)


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show all parts of the design system to those who work on it: administrators and, with DEBUG, everybody."""
    if not (settings.DEBUG or getattr(request.user, "is_staff", False)):
        raise Http404("Only administrators see the style guide.")
    return render(request, "styleguide.html", parts.context())
