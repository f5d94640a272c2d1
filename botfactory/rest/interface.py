"""The NinjaAPI of this product: what every operation does before and after its own work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, wraps
from typing import Any, Final, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import etag, require_safe
from ninja import NinjaAPI
from ninja.operation import Operation
from ninja.responses import NinjaJSONEncoder

from botfactory.rest import errors, idempotency
from botfactory.rest.access import EITHER, identify
from botfactory.rest.openapi import Document

Run = Callable[..., HttpResponseBase]
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Described:
    """The OpenAPI document as it is sent."""

    body: bytes
    etag: str


class Api(NinjaAPI):
    """Errors of one shape, unknown fields refused, and POST with an Idempotency-Key done once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(auth=list(EITHER), docs_url=None, docs_decorator=lambda _: _document_of(self), **options)
        self.add_decorator(_guarded, mode="view")

    def set_default_exception_handlers(self) -> None:
        """Register none of ninja's own: `on_exception` answers all errors."""

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        return errors.answer_to(request, exc)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> Document:
        return Document(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)

    def described(self) -> Described:
        """Return the document in English. Anybody may ask for it, so it's made only once."""
        return _described(self, self.get_root_path({}))

    @cached_property
    def document(self) -> Document:
        return Document(self, "")

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the name of the function, which is what a generated client then calls."""
        return operation.view_func.__name__


@lru_cache(maxsize=4)
def _described(api: Api, root: str) -> Described:
    with translation.override("en"):
        body = json.dumps(Document(api, root), cls=NinjaJSONEncoder).encode()
    return Described(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _document_of(api: Api) -> Callable[[HttpRequest], HttpResponse]:
    """Return the view of openapi.json."""

    @require_safe
    @etag(lambda request: api.described().etag)
    def openapi_json(request: HttpRequest) -> HttpResponse:
        return HttpResponse(api.described().body, content_type=_JSON, headers={"Cache-Control": "no-cache"})

    return openapi_json


def _guarded(run: Run) -> Run:
    """Return an operation's `run`, a bound method, with the checks and the Idempotency-Key before it."""
    operation: Operation = run.__self__  # type: ignore[attr-defined]
    guard = _Guard(operation)

    @wraps(run)
    def answer(request: HttpRequest, **path_values: Any) -> HttpResponseBase:
        try:
            return guard.answer(request, lambda: run(request, **path_values))
        except Exception as error:
            return operation.api.on_exception(request, error)

    return answer


class _Guard:
    """What happens between the address and the operation."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.api = cast(Api, operation.api)

    @cached_property
    def known(self) -> dict[str, set[str]]:
        """Return the names that the OpenAPI document lists: `query`, and the body's media types with their fields."""
        document = self.api.document
        parameters = document.operation_parameters(self.operation)
        content = (document.request_body(self.operation) or {}).get("content", {})
        fields = {kind: set(body["schema"].get("properties", ())) for kind, body in content.items()}
        return {"query": {each["name"] for each in parameters if each["in"] == "query"}, **fields}

    @property
    def has_body(self) -> bool:
        return len(self.known) > 1 or "requestBody" in (self.operation.openapi_extra or {})

    def answer(self, request: HttpRequest, work: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        access = identify(request, self.operation.auth_callbacks)
        if access is None:
            return work()  # which refuses it, if the operation needs to know who asks
        self.require_known(request)
        if "POST" not in self.operation.methods or idempotency.HEADER not in request.headers:
            return work()
        view = self.operation.view_func
        return idempotency.answer_once(
            request,
            access.user,
            work,
            in_one_transaction=not getattr(view, "is_slow", False),
            is_secret=getattr(view, "is_secret", False),
        )

    def require_known(self, request: HttpRequest) -> None:
        """Refuse what the document doesn't list in the address or a form, as pydantic refuses it in JSON.

        Refuse a field that comes twice in either, too: no operation takes several, so one of them would be lost.
        An operation without a body takes no fields, so in JSON it refuses the first.
        """
        known = self.known
        _require_known(request.GET, known["query"])
        require_once(request.GET)
        form = known.get("multipart/form-data", known.get("application/x-www-form-urlencoded"))
        if form is not None:
            for sent in (request.POST, request.FILES):
                _require_known(sent, form)
                require_once(sent)
        elif _JSON in known and request.content_type not in ("", _JSON) and request.body:
            raise errors.ApiError(415, errors.SENTENCES[415][0], str(errors.SENTENCES[415][1]))
        elif not self.has_body and request.content_type == _JSON:
            _require_known(_fields(request.body), set())


def _fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object; none for anything else."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return sent if isinstance(sent, dict) else {}


def _require_known(sent: Any, known: set[str]) -> None:
    for name in sent:
        if name not in known:
            raise errors.unknown_field(name)


def require_once(sent: MultiValueDict[str, Any]) -> None:
    """Raise the 422 answer if a field of a query or form was sent more than once."""
    for name, values in sent.lists():
        if len(values) > 1:
            raise errors.repeated_field(name)
