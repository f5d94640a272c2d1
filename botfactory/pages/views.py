"""The pages that are about everything: the dashboard, the front page for visitors, the status, and the style guide."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from botfactory.accounts import limits, visitors
from botfactory.accounts.models import User
from botfactory.pages import styleguide as parts
from botfactory.words.translation import translated
from models_app.bots.errors import ModelError
from models_app.bots.versions import NoBaseModel
from models_app.pages import examples, showing
from models_app.pages.dashboard import dashboard_for_user
from models_app.pages.status import status_for_user
from models_app.writing import demo
from tweets.corpora.errors import CorpusError


@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        shown = showing.on_the_front_page(request.user)
        writing = showing.with_demo_posts(demo.demo_bot())
        example = writing or next(iter(shown), None)
        return render(request, "welcome.html", {"example": example, "is_demo": bool(writing), "shared": shown[:6]})
    if request.user.is_visitor:
        return redirect("example")
    return render(request, "dashboard.html", {"dashboard": dashboard_for_user(request.user)})


# A token would be a cookie for everybody who only looks at the front page, so the view checks the origin instead.
@csrf_exempt
@require_http_methods(["GET", "POST"])
def example(request: HttpRequest) -> HttpResponse:
    """Show the example with the bot that writes like it. A POST makes both; nobody needs an account for that."""
    if request.method == "POST":
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.get_host():
            raise PermissionDenied("A page of another site sent this form.")
        try:
            person = request.user if request.user.is_authenticated else visitors.admit(request)
            examples.make(person)
        except (visitors.NotNow, limits.LimitReached, ModelError, NoBaseModel, CorpusError) as error:
            messages.warning(request, translated(error))
            return redirect("account_signup" if not request.user.is_authenticated else "new_corpus")
        return redirect("example")
    shown = examples.example_for_user(request.user)
    if shown is None:
        return redirect("dashboard")
    answer = render(request, "example.html", {"example": shown, **examples.writing_context(shown, request.user)})
    if getattr(request, "htmx", False) and not shown.is_awaited:
        # The page begins to write when it opens.
        answer.headers["HX-Refresh"] = "true"
    return answer


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
