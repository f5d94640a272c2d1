"""Who asks, and what they may: an API token with its scopes, or the session of the pages with CSRF."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from botfactory.accounts import confirming, tokens, two_factor
from botfactory.accounts.models import ApiToken, User
from botfactory.accounts.tokens import Scope
from botfactory.rest.errors import ApiError
from botfactory.rest.rate_limit import require_pace

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Access:
    """As what a person asks: `token` is None for a session."""

    user: User
    scopes: frozenset[Scope]
    token: ApiToken | None = None


def access_of(request: HttpRequest) -> Access:
    access: Access = request.auth  # type: ignore[attr-defined]
    return access


def person(request: HttpRequest) -> User:
    """Return who asks: signed in or with a token, and active."""
    return access_of(request).user


def identify(request: HttpRequest, ways: Iterable[Callable[[HttpRequest], Any]]) -> Access | None:
    """Return the access by the first way that the caller uses, None if none; ApiError if it isn't allowed.

    It's remembered for this request, so that asking the same way again counts no second request.
    """
    for way in ways:
        access: Access | None = way(request)
        if access is not None:
            request.identified = (way, access)  # type: ignore[attr-defined]
            return access
    return None


def require_confirmed(request: HttpRequest) -> None:
    """Raise ApiError 403 for a session whose person hasn't just confirmed who they are. A token passes."""
    if access_of(request).token is None and not confirming.is_confirmed(request):
        raise ApiError(
            403,
            "not_confirmed",
            _(
                "First confirm your password under /accounts/reauthenticate/. That lasts five minutes. A program sends "
                "an API token instead."
            ),
        )


class _Way(AuthBase, ABC):
    """A way to show who asks. Without `scope`, reading needs `read` and everything else `write`."""

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__()
        self.scope = scope

    def scope_for(self, method: str) -> Scope:
        return self.scope or ("read" if method in READING else "write")

    def __call__(self, request: HttpRequest) -> Access | None:
        way, known = getattr(request, "identified", (None, None))
        if way is self:
            return known
        access = self.identify(request)
        if access is None:
            return None
        require_pace(access.user)
        needed = self.scope_for(request.method or "GET")
        if needed not in access.scopes:
            raise ApiError(403, "missing_scope", _missing(needed, access), headers=_challenge(needed))
        return access

    @abstractmethod
    def identify(self, request: HttpRequest) -> Access | None:
        """Return the access that the request shows in this way; None if it shows none, ApiError if it isn't valid."""


class Token(_Way):
    """An API token in the header `Authorization: Bearer TOKEN`. You can make one under /tokens/."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "An API token. You can make one under /tokens/."

    def identify(self, request: HttpRequest) -> Access | None:
        bearer = _bearer(request)
        if bearer is None:
            if "token" in request.GET:
                raise ApiError(
                    401,
                    "token_in_address",
                    _(
                        "A token in an address ends up in logs. Revoke this one, and send the new one in the header "
                        "Authorization: Bearer TOKEN."
                    ),
                    headers=_challenge(),
                )
            return None
        token = tokens.find_token(bearer)
        if token is None:
            raise ApiError(
                401,
                "bad_token",
                _(
                    "This API token doesn’t work. It may have expired or been revoked. You can make another under "
                    "/tokens/."
                ),
                headers={"WWW-Authenticate": 'Bearer realm="Bot Factory", error="invalid_token"'},
            )
        return Access(token.owner, tokens.scopes_of(token), token)


class Session(_Way):
    """The session of who is signed in to the pages. What changes something also needs the CSRF token."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = "sessionid"
    openapi_description = (
        "A signed-in browser session. Requests that change something also need the header X-CSRFToken."
    )
    #: For the interactive page, which then sends the token.
    csrf = True

    def identify(self, request: HttpRequest) -> Access | None:
        user: Any = request.user
        if _bearer(request) is not None or not (user.is_authenticated and user.is_active):
            return None
        if check_csrf(request) is not None:
            raise ApiError(
                403,
                "csrf_failed",
                _(
                    "A request with a session cookie needs the CSRF token of a page of this site in the header "
                    "X-CSRFToken. A program sends an API token instead."
                ),
            )
        return Access(user, tokens.scopes_for(user))


#: For each operation, unless it names another.
EITHER: Final = (Token(), Session())
#: `auth=ADMINISTRATORS` on an operation: for administrators only, by a token with the scope `admin`.
ADMINISTRATORS: Final = (Token("admin"), Session("admin"))


def _bearer(request: HttpRequest) -> str | None:
    return tokens.bearer_of(request.headers.get("Authorization", ""))


def _challenge(scope: str = "") -> dict[str, str]:
    more = f', error="insufficient_scope", scope="{scope}"' if scope else ""
    return {"WWW-Authenticate": f'Bearer realm="Bot Factory"{more}'}


def _missing(scope: Scope, access: Access) -> str:
    if scope == "admin" and access.user.is_superuser and two_factor.is_missing(access.user):
        return str(two_factor.NEEDED)
    if access.token is None or (scope == "admin" and not access.user.is_superuser):
        return _("Only administrators can do this.")
    return _("This token lacks the scope %(scope)s. Make one with this scope under /tokens/.") % {"scope": scope}
