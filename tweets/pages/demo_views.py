"""The click that imports the example."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.rest.rate_limit import paced
from botfactory.words.translation import translated
from tweets.importing import demo


@login_required
@require_POST
@paced("POST")
def import_demo(request: HttpRequest) -> HttpResponse:
    """Import the example for the person, or show theirs if they have it already."""
    existing = demo.demo_of(request.user)
    if existing is not None:
        return redirect(existing)
    try:
        return redirect("job", job_id=demo.import_demo(owner=cast(User, request.user)).pk)
    except LimitReached as error:
        messages.warning(request, translated(error))
    return redirect("new_corpus")
