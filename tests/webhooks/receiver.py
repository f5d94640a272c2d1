"""A server that receives webhooks, stores them, and answers as configured."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.server import Answer, FakeServer, Request


class Receiver(FakeServer):
    """Answers with the statuses in order, then repeats the last one."""

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None, tls: Any = None) -> None:
        super().__init__(tls=tls)
        self._left = list(statuses or (204,))
        self._headers = headers or {}

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        status = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        return Answer(status, "", self._headers)


def content(request: Request) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(request.body)
    return sent


def is_signed(request: Request, secret: str) -> bool:
    """Verify a message as standardwebhooks.com describes it for receivers."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(theirs, expected) for theirs in request.headers["webhook-signature"].split(" "))
