"""Clients of the API, with a token or like a page."""

from __future__ import annotations

from typing import Any

from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import User

V1 = "/api/v1"


class Program:
    """Return a client with a token of `owner`, or without a token if there is no owner."""

    def __init__(self, owner: User | None, *scopes: str) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {}
        if owner is not None:
            new = tokens.create_token(owner=owner, name="program", scopes=scopes or ("read", "write"))
            self.token, self.headers = new.token, {"Authorization": f"Bearer {new.text}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        ask = getattr(self.client, method.lower())
        return ask(V1 + path, headers={**self.headers, **named}, **sent)

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("POST", path, body, **headers)


def require_error(answer: Any, status: int, code: str, param: str | None = None) -> str:
    """Check that the answer is an error of the common shape, and return its message."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    body = answer.json()
    assert sorted(body) == ["error"] and sorted(body["error"]) == ["code", "message", "param"], body
    error = body["error"]
    assert (error["code"], error["param"]) == (code, param), error
    assert answer["Cache-Control"] == "no-store" and answer["X-Request-Id"] and 'rel="help"' in answer["Link"]
    message: str = error["message"]
    assert len(message) > 10
    return message
