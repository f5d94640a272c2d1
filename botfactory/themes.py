"""The theme of a browser: as the system has it, light or dark.

A cookie keeps it, so pages arrive in the right colours.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

COOKIE: Final = "theme"
#: Theme -> its name and icon. "system" is what applies without a cookie.
THEMES: Final = {
    "system": (gettext_lazy("System"), "screen"),
    "light": (gettext_lazy("Light"), "sun"),
    "dark": (gettext_lazy("Dark"), "moon"),
}
_YEAR: Final = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """Return the theme that this browser chose, one of THEMES."""
    chosen = request.COOKIES.get(COOKIE, "")
    return chosen if chosen in THEMES else "system"


def for_pages(request: HttpRequest) -> dict[str, Any]:
    """Give templates `theme` and `themes`: what each button of the switch needs."""
    return {"theme": theme_of(request), "themes": [(name, *shown) for name, shown in THEMES.items()]}


# It changes nothing but the colours of this browser, and a token would make every page of visitors set a cookie.
@csrf_exempt
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep the theme that the form names, and return to the page that it was on."""
    back = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = "/"
    answer = redirect(back)
    theme = request.POST.get("theme", "")
    if theme in ("light", "dark"):
        secure = request.is_secure()
        answer.set_cookie(COOKIE, theme, max_age=_YEAR, samesite="Lax", httponly=True, secure=secure)
    else:
        answer.delete_cookie(COOKIE)
    return answer
