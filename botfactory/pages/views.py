"""The pages that are about everything: the dashboard, the front page for visitors, the status, and the style guide."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from botfactory.accounts.models import User
from botfactory.pages import styleguide as parts
from models_app.pages import showing
from models_app.pages.dashboard import dashboard_for_user
from models_app.pages.status import status_for_user
from models_app.writing import demo


@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        shown = showing.on_the_front_page(request.user)
        writing = showing.with_demo_posts(demo.demo_bot())
        example = writing or next(iter(shown), None)
        return render(request, "welcome.html", {"example": example, "is_demo": bool(writing), "shared": shown[:6]})
    return render(request, "dashboard.html", {"dashboard": dashboard_for_user(request.user)})


@login_required
@require_GET
def status(request: HttpRequest) -> HttpResponse:
    """Show the state of the server to everybody who is signed in. Of others' work, it says only how much there is."""
    context = {"status": status_for_user(cast(User, request.user))}
    return render(request, "status.html", context)


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show all parts of the design system to those who work on it: administrators and, with DEBUG, everybody."""
    if not (settings.DEBUG or getattr(request.user, "is_staff", False)):
        raise Http404("Only administrators see the style guide.")
    return render(request, "styleguide.html", parts.context())
