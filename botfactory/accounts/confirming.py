"""Ask a signed-in person for their password or code again, so that finding an open browser isn't enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest, HttpResponse

View = TypeVar("View", bound=Callable[..., HttpResponse])


def confirmed(view: View) -> View:
    """Decorate a view so that a POST waits for the person's confirmation, then continues. A GET needs none."""
    guarded: View = reauthentication_required(allow_get=True)(view)
    return guarded


def require(request: HttpRequest) -> None:
    """Raise the exception that asks for confirmation, unless it was given in ACCOUNT_REAUTHENTICATION_TIMEOUT."""
    reauthentication_required(lambda request: None)(request)


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether the person has confirmed in the last five minutes that it's them."""
    try:
        require(request)
    except ReauthenticationRequired:
        return False
    return True
