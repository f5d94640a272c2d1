"""Answer requests that failed with an error that nobody expected."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.defaults import server_error

from botfactory.outages import REFUSALS, classify
from botfactory.rest.errors import refused


def failed(request: HttpRequest) -> HttpResponse:
    """Return the answer for the error that is being handled. As `handler500`, Django calls this and logs the error.

    If a part of the machine is unavailable, another try may help, and the answer says so: 503 with Retry-After.
    """
    error = sys.exc_info()[1]
    outage = None if error is None else classify(error)
    if outage is None:
        return server_error(request)
    if request.path_info.startswith("/api/"):
        return refused(outage)
    refusal = REFUSALS[outage]
    shown = {
        "title": _("This isn’t possible right now"),
        "message": refusal.sentence,
        "again": request.get_full_path() if request.method == "GET" else "",
    }
    # It reads neither session nor database.
    page = render_to_string("refused.html", shown)
    headers = {"Retry-After": str(refusal.retry_after), "Cache-Control": "no-store"}
    return HttpResponse(page, status=503, headers=headers)
