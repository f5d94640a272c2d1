"""The NinjaAPI of this product: what every operation does before and after its own work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.operation import Operation
from ninja.router import BoundRouter

from botfactory.rest import errors, idempotency
from botfactory.rest.access import EITHER, person
from botfactory.rest.openapi import Document


class Api(NinjaAPI):
    """Errors of one shape, unknown fields refused, and POST with an Idempotency-Key done once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(auth=list(EITHER), docs_url=None, **options)

    def set_default_exception_handlers(self) -> None:
        """None of ninja's own: see on_exception."""

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        return errors.answer_to(request, exc)

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> Document:
        return Document(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function, which is what a generated client then calls."""
        return operation.view_func.__name__

    def _get_bound_routers(self) -> list[BoundRouter]:
        is_new = self._bound_routers_cache is None
        routers = super()._get_bound_routers()
        if is_new:
            for router in routers:
                for path_view in router.path_operations.values():
                    for operation in path_view.operations:
                        _refuse_unknown_fields(operation)
                        if "POST" in operation.methods:
                            _do_once(operation)
        return routers


def _refuse_unknown_fields(operation: Operation) -> None:
    """What the operation does not know in the address or a form is an error, as pydantic makes it one in JSON."""
    known: dict[str, set[str]] = {"query": set(), "form": set(), "file": set()}
    for model in operation.models:
        if model.__ninja_param_source__ in known:
            known[model.__ninja_param_source__] |= set(model.__ninja_flatten_map__)
    takes_form = bool(known["form"] or known["file"])
    takes_json = not takes_form and any(model.__ninja_param_source__ == "body" for model in operation.models)
    get_values = operation._get_values

    def checked(request: HttpRequest, *args: Any) -> dict[str, Any]:
        _require_known(request.GET, known["query"])
        if takes_json and request.content_type not in ("", "application/json") and request.body:
            raise errors.ApiError(415, *errors.SENTENCES[415])
        if takes_form:
            _require_known(request.POST, known["form"])
            _require_known(request.FILES, known["file"])
        values: dict[str, Any] = get_values(request, *args)
        return values

    operation._get_values = checked  # type: ignore[method-assign, assignment]


def _require_known(sent: Any, known: set[str]) -> None:
    for name in sent:
        if name not in known:
            raise errors.unknown_field(name)


def _do_once(operation: Operation) -> None:
    view: Callable[..., Any] = operation.view_func

    def answer(request: HttpRequest, **values: Any) -> Any:
        if idempotency.HEADER not in request.headers or not operation.auth_callbacks:
            return view(request, **values)

        def work() -> HttpResponseBase:
            blank = operation.api.create_temporal_response(request)
            response: HttpResponseBase = operation._result_to_response(request, view(request, **values), blank)
            return response

        return idempotency.answer_once(
            request,
            person(request),
            work,
            in_one_transaction=not getattr(view, "is_slow", False),
            is_secret=getattr(view, "is_secret", False),
        )

    answer.__name__, answer.__module__ = view.__name__, view.__module__
    operation.view_func = answer
