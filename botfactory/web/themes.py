"""The theme of a browser: as the system has it, light or dark.

A cookie keeps it, so pages arrive in the right colours.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from botfactory.web import choices

COOKIE: Final = "theme"
#: Theme -> its name and icon. "system" is what applies without a cookie.
THEMES: Final = {
    "system": (gettext_lazy("System"), "screen"),
    "light": (gettext_lazy("Light"), "sun"),
    "dark": (gettext_lazy("Dark"), "moon"),
}


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
    theme = request.POST.get("theme", "")
    return choices.kept(request, COOKIE, theme if theme in ("light", "dark") else "")
