from __future__ import annotations

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.views.decorators.http import require_GET, require_http_methods

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.rest.rate_limit import paced
from botfactory.words.translation import translated
from botfactory.your_data import exporting, importing
from botfactory.your_data.errors import ImportRefused
from botfactory.your_data.forms import ImportForm


@login_required
@require_GET
@paced("GET")
def export_account(request: HttpRequest) -> StreamingHttpResponse:
    """Send all data of the person as a ZIP."""
    return answer(cast(User, request.user))


def answer(user: User) -> StreamingHttpResponse:
    """Return the ZIP as an answer. Its length isn't known before its end."""
    headers = {
        "Content-Disposition": content_disposition_header(True, exporting.file_name(user)) or "",
        "Cache-Control": "private, no-store",
    }
    return StreamingHttpResponse(exporting.begin(user), content_type=exporting.CONTENT_TYPE, headers=headers)


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def import_account(request: HttpRequest) -> HttpResponse:
    """Take the ZIP of another Bot Factory, and open the page of the job that imports it."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_valid():
        try:
            job = importing.submit(
                owner=cast(User, request.user),
                file=form.cleaned_data["file"],
                language=get_language() or "",
                site=request.build_absolute_uri("/"),
            )
        except (ImportRefused, LimitReached) as error:
            form.add_error("file", translated(error))
        else:
            return redirect("job", job_id=job.pk)
    return render(request, "your_data/import.html", {"form": form}, status=400 if form.is_bound else 200)
