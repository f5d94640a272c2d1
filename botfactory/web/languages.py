"""The language of a browser: the one that it asks for, until its person chooses another."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from botfactory.web import choices


# As harmless as the choice of a theme.
@csrf_exempt
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the language that the form names, and return to the page that it was on."""
    language = request.POST.get("language", "")
    known = language if language in dict(settings.LANGUAGES) else ""
    # Django's LocaleMiddleware reads this cookie.
    return choices.kept(request, settings.LANGUAGE_COOKIE_NAME, known)
