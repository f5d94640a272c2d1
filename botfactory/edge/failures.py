"""Answer requests that failed with an error that nobody expected."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error

from botfactory.edge import refusals
from botfactory.outages.errors import REFUSALS, classify


def failed(request: HttpRequest) -> HttpResponse:
    """Return the answer for the error that is being handled. As `handler500`, Django calls this and logs the error.

    If a part of the machine is unavailable, another try may help, and the answer says so: 503 with Retry-After.
    """
    error = sys.exc_info()[1]
    outage = None if error is None else classify(error)
    if outage is None:
        return server_error(request)
    again = request.get_full_path() if request.method == "GET" else ""
    return refusals.answer_to(request, REFUSALS[outage], again=again)
