"""What asks a signed-in person for their password (or code) again, so that an open browser is not enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest, HttpResponse

View = TypeVar("View", bound=Callable[..., HttpResponse])


def confirmed(view: View) -> View:
    """Around a view: whoever sends something confirms it, and what they sent is then done. Looking needs none."""
    guarded: View = reauthentication_required(allow_get=True)(view)
    return guarded


def require(request: HttpRequest) -> None:
    """In a view: raises what sends the person to confirm, unless they did (ACCOUNT_REAUTHENTICATION_TIMEOUT)."""
    reauthentication_required(lambda request: None)(request)


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the person has confirmed it's them in the last five minutes."""
    try:
        require(request)
    except ReauthenticationRequired:
        return False
    return True
