"""One shape for every error of every endpoint: {"error": {"code", "message", "param"}}."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from ninja.errors import AuthenticationError, HttpError, ValidationError

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.tokens import TokenError, TooManyTokens
from botfactory.outages.errors import REFUSALS, classify
from botfactory.outages.refusal import Refusal
from botfactory.rest import field_errors
from botfactory.rest import request_id as request_ids
from botfactory.web.disconnect import ClientGone
from botfactory.words.translation import translated

logger = logging.getLogger(__name__)

CHALLENGE: Final = 'Bearer realm="Bot Factory"'

#: Code and message of each status, if an error has none of its own.
SENTENCES: Final = {
    400: ("bad_request", gettext_lazy("This request can’t be read: its address, headers or body are malformed.")),
    401: (
        "not_authenticated",
        gettext_lazy("Send an API token in the header Authorization: Bearer TOKEN. You can make one under /tokens/."),
    ),
    403: ("forbidden", gettext_lazy("You aren’t allowed to do this.")),
    404: ("not_found", gettext_lazy("Nothing exists at this address. Check the address and the id; see /api/docs.")),
    405: (
        "method_not_allowed",
        gettext_lazy("This address doesn’t support this method. The header Allow lists the ones that it supports."),
    ),
    408: ("too_slow", gettext_lazy("Your request took too long to arrive. Check your connection and try again.")),
    409: ("conflict", gettext_lazy("This can’t be done now.")),
    413: ("too_large", gettext_lazy("This request is too large.")),
    415: ("unsupported_media_type", gettext_lazy("Send JSON, with the header Content-Type: application/json.")),
    422: ("bad_value", gettext_lazy("A value in this request is invalid.")),
    429: (
        "too_many_requests",
        gettext_lazy("You made too many requests. Wait for the number of seconds in Retry-After."),
    ),
    503: ("busy", gettext_lazy("This server is busy. Try again after the number of seconds in Retry-After.")),
    500: (
        "server_error",
        gettext_lazy(
            "Something went wrong on our side. You can find it in the log by the X-Request-Id of this answer."
        ),
    ),
}
#: What a stranger gets for a thing of somebody else's, as for an id that was never given out.
_NOT_FOUND: Final = {
    "account": gettext_lazy("There is no such account, or it isn’t yours."),
    "corpus": gettext_lazy("There is no such corpus, or it isn’t yours."),
    "generation": gettext_lazy("There is no such generation, or it isn’t yours."),
    "kept post": gettext_lazy("There is no such kept post, or it isn’t yours."),
    "job": gettext_lazy("There is no such job, or it isn’t yours."),
    "message": gettext_lazy("There is no such message, or it isn’t yours."),
    "model": gettext_lazy("There is no such model, or it isn’t yours."),
    "proposal": gettext_lazy("There is no such proposal, or it isn’t yours."),
    "publication": gettext_lazy("There is no such publication, or it isn’t yours."),
    "search": gettext_lazy("There is no such search, or it isn’t yours."),
    "token": gettext_lazy("There is no such token, or it isn’t yours."),
    "webhook": gettext_lazy("There is no such webhook, or it isn’t yours."),
}


class ApiError(Exception):
    """The answer of an operation that raises it. `param`: the field of the body or query that is wrong."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param, self.headers = status, code, param, dict(headers or {})


def not_found(what: str) -> ApiError:
    """Return the 404 answer for a kind of thing: `raise not_found("job") from None`."""
    return ApiError(404, "not_found", str(_NOT_FOUND[what]))


@contextmanager
def missing_is_404(missing: type[ObjectDoesNotExist], what: str) -> Iterator[None]:
    """Turn this error of the block into not_found(what): the thing never existed, or it was deleted meanwhile."""
    try:
        yield
    except missing:
        raise not_found(what) from None


def bad_value(param: str, message: str, *, code: str = "bad_value") -> ApiError:
    """Return the 422 answer for an invalid field."""
    return ApiError(422, code, message, param=param)


#: The status of each error of the services, which has a `code` and a message; the nearest ancestor counts.
_statuses: dict[type[Exception], int] = {LimitReached: 409, TokenError: 422, TooManyTokens: 409}


def register_errors(statuses: Mapping[type[Exception], int]) -> None:
    """Set the statuses of exceptions of services, which have a `code`. For the top of an app's api.py."""
    _statuses.update(statuses)


def status_of(error: Exception) -> int | None:
    """Return the status that is registered for an error, or None."""
    return next((_statuses[kind] for kind in type(error).__mro__ if kind in _statuses), None)


def error_response(
    status: int,
    code: str = "",
    message: str = "",
    *,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return an error as all operations answer it. Code and message default to those of the status."""
    usual_code, usual_message = SENTENCES.get(status, (HTTPStatus(status).name.lower(), HTTPStatus(status).phrase))
    error = {"code": code or usual_code, "message": message or str(usual_message), "param": param}
    response = JsonResponse({"error": error}, status=status, headers=dict(headers or {}))
    if status == 401:
        response.headers.setdefault("WWW-Authenticate", CHALLENGE)
    return marked(response)


def marked(response: HttpResponse) -> HttpResponse:
    """Return the response, marked as an error in the common format, so that the middleware leaves it alone."""
    response.is_api_error = True  # type: ignore[attr-defined]
    return response


def expected(response: HttpResponse) -> HttpResponse:
    """Return the response, which Django then doesn't log as an error although its status is above 500."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def answer_to(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the answer for an error that an operation raised."""
    if isinstance(error, ApiError):
        return _raised(error)
    if isinstance(error, ValidationError):
        return _validation(error)
    if isinstance(error, AuthenticationError):
        return error_response(401)
    if isinstance(error, HttpError):
        return error_response(error.status_code, message="" if error.status_code in SENTENCES else str(error))
    if isinstance(error, Http404):
        return error_response(404)
    if isinstance(error, RequestDataTooBig):
        return error_response(413)
    if isinstance(error, RawPostDataException):
        return error_response(415)
    if isinstance(error, SuspiciousOperation | MultiPartParserError):
        return error_response(400)
    if isinstance(error, ClientGone):
        # Nobody reads it. The status is the one that nginx uses for this.
        return marked(HttpResponse(status=499))
    status = status_of(error)
    if status is not None:
        param: str | None = getattr(error, "param", None)
        retry_after: int | None = getattr(error, "retry_after", None)
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        response = error_response(status, getattr(error, "code", ""), translated(error), param=param, headers=headers)
        return expected(response) if status == 503 else response
    logger.exception("request %s: %s %s failed", request_ids.current.get(), request.method, request.path)
    outage = classify(error)
    return error_response(500) if outage is None else expected(refused(REFUSALS[outage]))


def refused(refusal: Refusal) -> HttpResponse:
    return error_response(refusal.status, refusal.code, translated(refusal.message), headers=refusal.headers)


def _raised(error: ApiError) -> HttpResponse:
    return error_response(error.status, error.code, translated(error), param=error.param, headers=error.headers)


def _validation(error: ValidationError) -> HttpResponse:
    """Return the answer for the first invalid field."""
    first: dict[str, Any] = error.errors[0]
    source, *path = first["loc"]
    if source == "body" and path:
        # The name of the operation's argument, which the caller doesn't know.
        path = path[1:]
    param = ".".join(str(part) for part in path) or None
    if first["type"] == "extra_forbidden":
        return _raised(unknown_field(param or ""))
    if first["type"] == "missing":
        if not param:
            message = _("Send a JSON object as the body of this request.")
        elif source == "query":
            message = _("%(name)s is missing from the address.") % {"name": param}
        elif source == "header":
            message = _("The header %(name)s is missing.") % {"name": param}
        else:
            message = _("%(name)s is missing from the body.") % {"name": param}
        return error_response(422, "missing", message, param=param)
    return error_response(422, "bad_value", field_errors.sentence(param or _("The body"), first), param=param)


def repeated_field(name: str) -> ApiError:
    """Return the 422 answer for a field that was sent more than once."""
    message = _("You sent %(name)s more than once. Send only one.")
    return bad_value(name[:255], message % {"name": name[:80]}, code="repeated_field")


def unknown_field(name: str) -> ApiError:
    """Return the 422 answer for a field that doesn't exist."""
    message = _("There is no field %(name)s. Check its spelling; see /api/docs.") % {"name": name[:80]}
    return bad_value(name[:255], message, code="unknown_field")
