"""Pages of other sites: which can call the API, and what they can send and read."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from tests.rest.helpers import V1, Program

pytestmark = pytest.mark.django_db

PAGE = "https://a.example"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}


def cors_headers(answer: Any) -> set[str]:
    return {name.lower() for name in answer.headers if name.lower().startswith("access-control-")}


def test_without_the_setting_no_page_may_call_the_api(alice: User) -> None:
    program = Program(alice)
    assert not cors_headers(program.client.options(f"{V1}/tokens", headers=PREFLIGHT))
    assert not cors_headers(program.get("/me", Origin=PAGE))


def test_a_listed_page_may_call_the_api_with_a_token_and_without_a_session(alice: User, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [PAGE]
    program = Program(alice)
    preflight = program.client.options(f"{V1}/tokens", headers=PREFLIGHT)
    assert (preflight.status_code, preflight.content) == (200, b"")
    assert preflight["Access-Control-Allow-Origin"] == PAGE
    assert preflight["Access-Control-Allow-Methods"] == "GET, POST, PATCH, PUT, DELETE"
    assert preflight["Access-Control-Max-Age"] == "600"
    sent = set(preflight["Access-Control-Allow-Headers"].split(", "))
    assert sent == {
        *("authorization", "content-type", "idempotency-key"),
        *("if-none-match", "last-event-id", "x-request-id"),
    }
    for answer, status in ((program.get("/me", Origin=PAGE), 200), (program.get("/nothing", Origin=PAGE), 404)):
        assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (status, PAGE)
        assert "origin" in answer["Vary"].lower()
        assert set(answer["Access-Control-Expose-Headers"].split(", ")) == {
            *("Allow", "Content-Disposition", "ETag", "Idempotency-Replayed", "Link"),
            *("Retry-After", "WWW-Authenticate", "X-Request-Id"),
        }
    for answer in (preflight, program.get("/me", Origin=PAGE)):
        assert "access-control-allow-credentials" not in cors_headers(answer)


@pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", f"{PAGE}:8443", "null", "//["])
def test_any_other_page_may_not(alice: User, settings: Any, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [PAGE]
    program = Program(alice)
    asking = {**PREFLIGHT, "Origin": origin}
    assert not cors_headers(program.client.options(f"{V1}/tokens", headers=asking))
    assert not cors_headers(program.get("/me", Origin=origin))


@pytest.mark.parametrize("path", ["/", "/jobs/", "/accounts/login/", "/admin/", "/metrics", "/api/docs", "/healthz"])
def test_only_the_api_is_open_to_other_pages(client: Client, settings: Any, path: str) -> None:
    settings.CORS_ALLOW_ALL_ORIGINS = True
    assert not cors_headers(client.options(path, headers=PREFLIGHT))
    assert not cors_headers(client.get(path, headers={"Origin": PAGE}))


@pytest.mark.parametrize(
    ("value", "settings_made"),
    [
        ("", "False []"),
        ("https://A.example, http://localhost:5173", "False ['https://a.example', 'http://localhost:5173']"),
        ("*", "True []"),
    ],
)
def test_the_operators_setting_decides(value: str, settings_made: str) -> None:
    show = "from botfactory import settings as s; print(s.CORS_ALLOW_ALL_ORIGINS, s.CORS_ALLOWED_ORIGINS)"
    environment = {**os.environ, "API_CORS_ORIGINS": value}
    made = subprocess.run([sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == settings_made
