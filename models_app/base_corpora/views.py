"""The administrator's page that starts a preparation."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.translation import translated
from models_app.base_corpora import services
from models_app.base_corpora.forms import PrepareCorpusForm
from models_app.base_models import services as bases


@require_http_methods(["GET", "POST"])
def prepare_corpus(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not (isinstance(user, User) and bases.may_add(user)):
        raise PermissionDenied
    form = PrepareCorpusForm(*((request.POST, request.FILES) if request.method == "POST" else (None, None)))
    if form.is_valid():
        try:
            return redirect(services.prepare(by=user, **form.asked()))
        except (bases.BaseError, LimitReached) as error:
            form.add_error(None, translated(error))
    context = {
        **admin.site.each_context(request),
        "title": _("Prepare a corpus"),
        "form": form,
        "verb": _("Prepare"),
        "parts": form.parts(),
        "directory": settings.RAW_POSTS_DIR,
    }
    status = 400 if form.is_bound else 200
    return TemplateResponse(request, "admin/models_app/bases/prepare.html", context, status=status)
