"""Programs that ask the API: by token, or as a page does."""

from __future__ import annotations

from typing import Any

from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import User

V1 = "/api/v1"


class Program:
    """A client with a token of `owner`; without an owner it shows none."""

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
    """The answer is an error of the one shape; its sentence."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    body = answer.json()
    assert sorted(body) == ["error"] and sorted(body["error"]) == ["code", "message", "param"], body
    error = body["error"]
    assert (error["code"], error["param"]) == (code, param), error
    assert answer["Cache-Control"] == "no-store" and answer["X-Request-Id"] and 'rel="help"' in answer["Link"]
    message: str = error["message"]
    assert len(message) > 10
    return message
