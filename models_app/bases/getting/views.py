"""The administrator's page that gets a base model from the hub. It asks the hub only once a repository is named."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.words.translation import translated
from models_app.bases import services as bases
from models_app.bases.getting import facts, hub, services
from models_app.bases.getting.forms import GetForm


@require_http_methods(["GET", "POST"])
def get_base(request: HttpRequest) -> HttpResponse:
    """List the suggested models, show what the hub says of a repository, and get one."""
    user = request.user
    if not (isinstance(user, User) and bases.may_add(user)):
        raise PermissionDenied
    form = GetForm(request.POST or request.GET if "repository" in (request.POST or request.GET) else None)
    found, status = None, 200
    if form.is_valid():
        try:
            if request.method == "POST":
                return redirect(services.get(by=user, **form.cleaned_data))
            found = facts.looked_up(form.cleaned_data["repository"], form.cleaned_data["revision"])[1]
        except hub.HubUnavailable as error:
            form.add_error(None, translated(error))
            status = 503
        except (bases.BaseError, LimitReached) as error:
            form.add_error("repository", translated(error))
    if form.errors and status == 200:
        status = 400
    context = {
        **admin.site.each_context(request),
        "title": _("Get a base model"),
        "form": form,
        "found": found,
        "suggested": facts.of_suggested(),
        "host": hub.host(),
    }
    return TemplateResponse(request, "admin/models_app/bases/get.html", context, status=status)
