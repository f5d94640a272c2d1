"""The OpenAPI 3.1 document: what the operations say of themselves, and what is the same for all of them."""

from __future__ import annotations

from typing import Any, Final

from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from botfactory.rest import idempotency
from botfactory.rest import request_id as request_ids
from botfactory.rest.access import Session, Token
from botfactory.rest.errors import SENTENCES
from botfactory.rest.schemas import Error

WHAT: Final = {
    400: "The request can't be read.",
    401: "There is no token or session, or it isn't valid.",
    403: "The token lacks the scope, the CSRF token is missing, or only administrators can do this.",
    404: "It doesn't exist, or it isn't yours.",
    408: "The request took too long to arrive.",
    409: "It can't be done now: the state doesn't allow it, a limit is reached, or a request with the same "
    "Idempotency-Key is still being answered.",
    413: "The request is too large.",
    415: "The body isn't JSON.",
    422: "A value is invalid, or a field is unknown. `param` names it.",
    429: "Too many requests in this minute. `Retry-After` has the number of seconds to wait.",
    500: "Something went wrong on the server.",
    503: "The server is busy. `Retry-After` has the number of seconds to wait.",
}


class Document(OpenAPISchema):
    """The document of an API, with the errors, headers and scopes that every operation has."""

    def get_components(self) -> dict[str, Any]:
        schema = Error.model_json_schema(ref_template="#/components/schemas/{model}")
        self.add_schema_definitions(schema.pop("$defs"))
        self.schemas["Error"] = schema
        components: dict[str, Any] = super().get_components()
        components["responses"] = {f"E{status}": _error(status) for status in WHAT}
        components["headers"] = {
            "RequestId": {
                "description": "The id of the request: the one that the caller sent, if it is valid, or a new one.",
                "schema": {"type": "string"},
            },
            "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
        }
        return components

    def operation_details(self, operation: Operation) -> dict[str, Any]:
        details: dict[str, Any] = super().operation_details(operation)
        body = "requestBody" in details
        writes = "POST" in operation.methods
        statuses = {401, 403, 422, 429, 500}
        statuses |= {404} if "{" in operation.path else set()
        statuses |= {400, 408, 413, 415} if body else set()
        statuses |= {409} if writes else set()
        responses = details["responses"]
        for status in sorted(statuses | {status for status in responses if status in WHAT}):
            responses[status] = {"$ref": f"#/components/responses/E{status}"}
        details["responses"] = {str(status): responses[status] for status in sorted(responses)}
        for status, response in details["responses"].items():
            if status.startswith("2"):
                response.setdefault("headers", {})[request_ids.HEADER] = {"$ref": "#/components/headers/RequestId"}
        if writes:
            details["parameters"].append(_IDEMPOTENCY_KEY)
        return details

    def operation_security(self, operation: Operation) -> list[dict[str, Any]]:
        security = super().operation_security(operation) or []
        ways = [way for way in operation.auth_callbacks if isinstance(way, Token | Session)]
        for entry, way in zip(security, ways, strict=True):
            entry[type(way).__name__] = [way.scope_for(operation.methods[0])]
        return security

    def request_body(self, operation: Operation) -> dict[str, Any]:
        """Say that forms take no other fields, as the schemas of JSON bodies do; `interface` refuses them."""
        body: dict[str, Any] = super().request_body(operation)
        if body:  # None for an operation without one
            for kind, content in body["content"].items():
                if kind != "application/json":
                    content["schema"]["additionalProperties"] = False
        return body

    def operation_parameters(self, operation: Operation) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().operation_parameters(operation)
        for parameter in parameters:
            # In a schema, examples are a list; in a parameter, an object.
            parameter.pop("examples", None)
        return parameters


_IDEMPOTENCY_KEY: Final = {
    "in": "header",
    "name": idempotency.HEADER,
    "required": False,
    "description": "Send a unique key, such as a UUID. If you send the same request with the same key again within "
    "24 hours, the work isn't done twice, and you get the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "0d0f1c1e-6f0b-4d0e-9a55-0f6f0f1c7a11",
}


def _error(status: int) -> dict[str, Any]:
    code, message = SENTENCES[status]
    response: dict[str, Any] = {
        "description": WHAT[status],
        "headers": {request_ids.HEADER: {"$ref": "#/components/headers/RequestId"}},
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": {"error": {"code": code, "message": str(message), "param": None}},
            }
        },
    }
    if status in (429, 503):
        response["headers"]["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    return response
