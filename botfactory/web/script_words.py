"""The texts of scripts in other languages: a file for each, kept by browsers for a year under a name with its hash.

Scripts are written in English (`static/js/words.js`), so a page in English loads no such file.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

_YEAR: Final = 365 * 24 * 3600


def address() -> str:
    """Return the address of the texts in the active language, or "" for English."""
    language = translation.get_language() or settings.LANGUAGE_CODE
    if language == settings.LANGUAGE_CODE:
        return ""
    return reverse("script_words", args=[language, _hash(language)])


@require_safe
@gzip_page
def script_words(request: HttpRequest, language: str, digest: str) -> HttpResponse:
    """Answer with the texts of a language. Those of another version aren't kept, but they are better than none."""
    if language == settings.LANGUAGE_CODE or language not in dict(settings.LANGUAGES):
        raise Http404
    is_current = digest == _hash(language)
    keep = f"public, max-age={_YEAR}, immutable" if is_current else "no-cache"
    return HttpResponse(
        _texts(language), content_type="text/javascript; charset=utf-8", headers={"Cache-Control": keep}
    )


@cache
def _texts(language: str) -> bytes:
    # The catalogs of LOCALE_PATHS are added to those of the packages. This package has none, and the admin's would
    # otherwise come along.
    with translation.override(language):
        answer: HttpResponse = JavaScriptCatalog(packages=["botfactory.accounts"]).get(HttpRequest())
    return answer.content


@cache
def _hash(language: str) -> str:
    return hashlib.sha256(_texts(language)).hexdigest()[:12]
