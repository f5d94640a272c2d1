"""One shape for every error of every endpoint: {"error": {"code", "message", "param"}}."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException
from ninja.errors import AuthenticationError, HttpError, ValidationError

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.tokens import TokenError, TooManyTokens
from botfactory.disconnect import ClientGone
from botfactory.rest import request_id as request_ids

logger = logging.getLogger(__name__)

CHALLENGE: Final = 'Bearer realm="Bot Factory"'

#: Where nothing more precise is known.
SENTENCES: Final = {
    400: ("bad_request", "This request cannot be read: its address, headers or body are not well-formed."),
    401: (
        "not_authenticated",
        "Send an API token in the header Authorization: Bearer TOKEN. You make one under /tokens/.",
    ),
    403: ("forbidden", "You may not do this."),
    404: ("not_found", "There is nothing here: check the address and the id. What there is stands under /api/docs."),
    405: ("method_not_allowed", "This address does not answer this method; the header Allow names those that it does."),
    408: ("too_slow", "Your request took too long to arrive. Check your connection and try again."),
    409: ("conflict", "This cannot be done now."),
    413: ("too_large", "This request is larger than what is taken here."),
    415: ("unsupported_media_type", "Send JSON, with the header Content-Type: application/json."),
    422: ("bad_value", "A value in this request does not do."),
    429: ("too_many_requests", "You have asked too often: wait for as many seconds as Retry-After says."),
    503: ("busy", "This server is busy. Try again after as many seconds as Retry-After says."),
    500: ("server_error", "Something went wrong here, and it is in the log under the X-Request-Id of this answer."),
}


class ApiError(Exception):
    """Raised anywhere in an operation, it is the answer. `param` names the field of the body or query that is wrong."""

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
    """`raise not_found("job") from None`: the answer to strangers, as for an id that was never given out."""
    return ApiError(404, "not_found", f"There is no such {what}, or it is not yours.")


def bad_value(param: str, message: str, *, code: str = "bad_value") -> ApiError:
    return ApiError(422, code, message, param=param)


#: Errors of the services, each with a `code` and a sentence -> status; the nearest ancestor counts.
_statuses: dict[type[Exception], int] = {LimitReached: 409, TokenError: 422, TooManyTokens: 409}


def register_errors(statuses: Mapping[type[Exception], int]) -> None:
    """These exceptions of services (with a `code`) are answers of that status. At the top of an app's api.py."""
    _statuses.update(statuses)


def status_of(error: Exception) -> int | None:
    return next((_statuses[kind] for kind in type(error).__mro__ if kind in _statuses), None)


def error_response(
    status: int,
    code: str = "",
    message: str = "",
    *,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """An answer of the one shape; without words those that belong to the status."""
    usual_code, usual_message = SENTENCES.get(status, (HTTPStatus(status).name.lower(), HTTPStatus(status).phrase))
    error = {"code": code or usual_code, "message": message or usual_message, "param": param}
    response = JsonResponse({"error": error}, status=status, headers=dict(headers or {}))
    if status == 401:
        response.headers.setdefault("WWW-Authenticate", CHALLENGE)
    return mark(response)


def mark(response: HttpResponse) -> HttpResponse:
    """The answer has the one shape; the middleware leaves it alone."""
    response.is_api_error = True  # type: ignore[attr-defined]
    return response


def expected(response: HttpResponse) -> HttpResponse:
    """Return the response, which Django does not log as an error of the server though its status is above 500."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def answer_to(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to whatever an operation has raised."""
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
        # Nobody reads it; nginx has made this status known for that.
        return mark(HttpResponse(status=499))
    status = status_of(error)
    if status is not None:
        param: str | None = getattr(error, "param", None)
        retry_after: int | None = getattr(error, "retry_after", None)
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        response = error_response(status, getattr(error, "code", ""), str(error), param=param, headers=headers)
        return expected(response) if status == 503 else response
    logger.exception("request %s: %s %s failed", request_ids.current.get(), request.method, request.path)
    return error_response(500)


def _raised(error: ApiError) -> HttpResponse:
    return error_response(error.status, error.code, str(error), param=error.param, headers=error.headers)


def _validation(error: ValidationError) -> HttpResponse:
    """The first thing that is wrong, as a sentence, and which field it is."""
    first: dict[str, Any] = error.errors[0]
    source, *path = first["loc"]
    if source == "body" and path:
        # The name of the operation's argument, which no caller has written.
        path = path[1:]
    param = ".".join(str(part) for part in path) or None
    if first["type"] == "extra_forbidden":
        return _raised(unknown_field(param or ""))
    if first["type"] == "missing":
        where = {"query": "in the address", "header": "among the headers"}.get(source, "in the body")
        message = f"{param} is missing {where}." if param else "Send a JSON object as the body of this request."
        return error_response(422, "missing", message, param=param)
    what = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return error_response(422, "bad_value", f"{param}: {what}." if param else f"{what}.", param=param)


def unknown_field(name: str) -> ApiError:
    message = f"{name[:80]!r} is not known here: check its spelling. What can be sent stands under /api/docs."
    return bad_value(name[:255], message, code="unknown_field")
