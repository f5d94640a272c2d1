"""What all operations of the REST API have in common, with real requests."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.db import transaction
from django.test import Client
from django.utils import timezone
from openapi_spec_validator import validate

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken, PersonalLimits, User
from botfactory.rest import idempotency, rate_limit
from botfactory.rest import request_id as request_ids
from botfactory.rest.models import KeptAnswer
from tests.conftest import PASSWORD, signed_in
from tests.rest.helpers import V1, Program, require_error

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

NEW = {"name": "another"}


def forget_pace(user: User) -> None:
    """Forget the person's requests of this minute."""
    cache = caches[rate_limit.CACHE]
    minute = int(timezone.now().timestamp() // 60)
    cache.delete_many([f"requests:{user.pk}:{number}" for number in (minute, minute + 1)])


def test_the_owner_of_a_token_reads_what_is_theirs(alice: User) -> None:
    program = Program(alice)
    me = program.get("/me").json()
    assert (me["username"], me["is_administrator"]) == ("alice", False)
    assert me["access"] == {"by": "token", "token": str(program.token.pk), "scopes": ["read", "write"]}
    assert me["limits"]["queued_jobs"] == 50 and me["usage"]["queued_jobs"] == 0
    assert me["joined_at"].endswith("Z")


def test_nobody_gets_401_with_a_challenge(db: None) -> None:
    nobody = Program(None)
    for method, path in (("GET", "/me"), ("GET", "/tokens"), ("POST", "/tokens"), ("GET", "/tokens?nonsense=1")):
        answer = nobody.ask(method, path)
        require_error(answer, 401, "not_authenticated")
        assert answer["WWW-Authenticate"].startswith("Bearer")
    nobody.headers = {"Authorization": "Bearer nonsense"}
    assert "invalid_token" in nobody.get("/me")["WWW-Authenticate"]
    require_error(nobody.get("/me"), 401, "bad_token")
    nobody.headers = {}
    require_error(nobody.get("/me?token=bf_x"), 401, "token_in_address")


def test_who_is_inactive_is_out_by_token_and_by_session(alice: User) -> None:
    program, page = Program(alice), signed_in(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    require_error(program.get("/me"), 401, "bad_token")
    require_error(page.get(f"{V1}/me"), 401, "not_authenticated")


def test_a_wrong_token_is_not_made_good_by_a_session(alice: User) -> None:
    for wrong in ("Bearer x", "bearer", "Bearer "):
        require_error(signed_in(alice).get(f"{V1}/me", headers={"Authorization": wrong}), 401, "bad_token")


def test_a_token_that_expires_makes_none_that_stays(alice: User) -> None:
    short = Program(alice)
    ends = timezone.now() + timedelta(hours=1)
    ApiToken.objects.filter(pk=short.token.pk).update(expires_at=ends)
    assert datetime.fromisoformat(short.post("/tokens", NEW).json()["expires_at"]) - ends < timedelta(seconds=1)
    require_error(
        short.post("/tokens", {**NEW, "expires_at": "2999-01-01T00:00:00Z"}), 422, "token_error", "expires_at"
    )


@pytest.mark.parametrize("header", ["Basic YTpi", "Digest username=a"])
def test_a_password_of_a_proxy_is_no_token_and_leaves_the_session(alice: User, header: str) -> None:
    shown = {"Authorization": header}
    assert signed_in(alice).get(f"{V1}/me", headers=shown).json()["access"]["by"] == "session"
    require_error(Client().get(f"{V1}/me", headers=shown), 401, "not_authenticated")


def test_each_scope_is_for_its_own(alice: User, admin: User) -> None:
    reader, writer = Program(alice, "read"), Program(alice, "write")
    assert reader.get("/tokens").status_code == 200
    answer = reader.post("/tokens", NEW)
    assert "lacks the scope write" in require_error(answer, 403, "missing_scope")
    assert 'scope="write"' in answer["WWW-Authenticate"]
    require_error(writer.get("/tokens"), 403, "missing_scope")
    assert writer.post("/tokens", {**NEW, "scopes": ["write"]}).status_code == 201
    # No escalation: neither beyond the token's own scopes, nor to those of administrators.
    require_error(writer.post("/tokens", {**NEW, "scopes": ["read"]}), 422, "token_error", "scopes")
    require_error(Program(alice).post("/tokens", {**NEW, "scopes": ["admin"]}), 422, "token_error", "scopes")
    boss = Program(admin, "read", "write", "admin")
    assert boss.post("/tokens", {**NEW, "scopes": ["admin"]}).status_code == 201
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert boss.get("/me").json()["access"]["scopes"] == ["read", "write"]


def test_a_session_reads_freely_and_changes_with_csrf_only(alice: User) -> None:
    page = Client(enforce_csrf_checks=True)
    page.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert page.get(f"{V1}/me").json()["access"] == {"by": "session", "token": None, "scopes": ["read", "write"]}
    require_error(page.post(f"{V1}/tokens", NEW, content_type="application/json"), 403, "csrf_failed")
    page.get("/api/docs")
    token = page.cookies["csrftoken"].value
    page.post("/accounts/reauthenticate/", {"password": PASSWORD}, headers={"X-CSRFToken": token})
    answer = page.post(f"{V1}/tokens", NEW, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 201


def test_every_error_has_the_one_shape(alice: User) -> None:
    program = Program(alice)
    require_error(program.get("/nothing/here"), 404, "not_found")
    require_error(program.client.get("/api/v1"), 404, "not_found")
    require_error(program.client.post("/api/v1/nothing"), 404, "not_found")
    answer = program.ask("PUT", "/me", {})
    require_error(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET"
    require_error(program.get("/tokens/7c1c9c0e-6d0c-4e58-9b43-5d8f0a2d8d55"), 404, "not_found")
    require_error(program.get("/tokens/nonsense"), 404, "not_found")
    raw: dict[str, Any] = {"headers": program.headers, "content_type": "application/json"}
    require_error(program.client.post(f"{V1}/tokens", "{", **raw), 400, "bad_request")
    require_error(program.client.post(f"{V1}/tokens", "[]", **raw), 422, "bad_value")
    require_error(program.client.post(f"{V1}/tokens", headers=program.headers), 415, "unsupported_media_type")
    require_error(program.client.get(f"{V1}/me", headers=program.headers, HTTP_HOST="evil.example"), 400, "bad_request")


def test_what_breaks_says_where_the_log_tells_more(
    alice: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("botfactory.accounts.limits.usage_of", broken)
    monkeypatch.setattr(logging.getLogger("botfactory"), "propagate", True)
    answer = Program(alice).get("/me", X_Request_Id="my-own-id-0001")
    assert "secret" not in require_error(answer, 500, "server_error")
    assert answer["X-Request-Id"] == "my-own-id-0001"
    assert "my-own-id-0001" in caplog.text and "secret inside" in caplog.text


def test_a_body_that_is_too_large_is_413(alice: User, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    require_error(Program(alice).post("/tokens", {"name": "n" * 200}), 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "param"),
    [
        ("GET", "/tokens?limt=1", None, "unknown_field", "limt"),
        ("GET", "/me?x=1", None, "unknown_field", "x"),
        ("GET", "/tokens?limit=1&limit=2", None, "repeated_field", "limit"),
        ("GET", "/tokens?limit=0", None, "bad_value", "limit"),
        ("GET", "/tokens?limit=101", None, "bad_value", "limit"),
        ("GET", "/tokens?limit=x", None, "bad_value", "limit"),
        ("GET", "/tokens?after=x", None, "bad_value", "after"),
        ("GET", "/tokens?after=7c1c9c0e-6d0c-4e58-9b43-5d8f0a2d8d55", None, "bad_value", "after"),
        ("POST", "/tokens", {"name": "x", "scope": "read"}, "unknown_field", "scope"),
        ("POST", "/tokens", {}, "missing", "name"),
        ("POST", "/tokens", {"name": 5}, "bad_value", "name"),
        ("POST", "/tokens", {"name": ""}, "bad_value", "name"),
        ("POST", "/tokens", {"name": "   "}, "token_error", "name"),
        ("POST", "/tokens", {"name": "a\x00b"}, "bad_value", "name"),
        ("POST", "/tokens", {"name": "\ud800"}, "bad_value", "name"),
        ("POST", "/tokens", {"name": "x", "scopes": ["read", "all"]}, "bad_value", "scopes.1"),
        ("POST", "/tokens", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "token_error", "expires_at"),
        ("POST", "/tokens", {"name": "x", "expires_at": "2040-01-01T00:00:00"}, "bad_value", "expires_at"),
        ("POST", "/tokens", {"name": "x", "expires_at": "9999-12-31T23:59:59-12:00"}, "token_error", "expires_at"),
    ],
)
def test_what_is_wrong_is_named(alice: User, method: str, path: str, body: Any, code: str, param: str) -> None:
    program = Program(alice)
    require_error(program.ask(method, path, body), 422, code, param)
    assert ApiToken.objects.count() == 1


def test_an_operation_without_a_body_takes_no_fields(alice: User) -> None:
    program = Program(alice)
    path = f"/tokens/{Program(alice).token.pk}"
    require_error(program.ask("DELETE", path, {"dry_run": True}), 422, "unknown_field", "dry_run")
    assert program.ask("DELETE", path, {}).status_code == 204


def test_an_id_of_the_caller_is_kept_if_it_is_sane(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    program = Program(alice)
    assert program.get("/me", X_Request_Id="trace:abc-12345")["X-Request-Id"] == "trace:abc-12345"
    for strange in ("short", "with space in it", "x" * 129, 'quote"quote"'):
        given = program.get("/me", X_Request_Id=strange)["X-Request-Id"]
        assert given != strange and len(given) == 32
    assert program.client.get("/")["X-Request-Id"]
    assert request_ids.current.get() == request_ids.NONE
    program.get("/nothing", X_Request_Id="of-django-too")
    record = next(record for record in caplog.records if "/nothing" in record.getMessage())
    request_ids.AddRequestId().filter(record)
    assert record.__dict__["request_id"] == "of-django-too"


def test_pages_follow_each_other_without_a_gap(alice: User, bob: User) -> None:
    program = Program(alice)
    for number in range(4):
        program.post("/tokens", {"name": f"token {number}"})
    stranger = Program(bob)
    # Several of the same moment are told apart by their ids.
    ApiToken.objects.filter(name__in=["token 1", "token 2"]).update(created_at=timezone.now())
    seen: list[str] = []
    query = "?limit=2"
    while True:
        page = program.get(f"/tokens{query}").json()
        seen += [token["id"] for token in page["data"]]
        if not page["has_more"]:
            break
        query = f"?limit=2&after={seen[-1]}"
    assert len(seen) == len(set(seen)) == 5
    assert str(stranger.token.pk) not in seen
    require_error(stranger.get(f"/tokens?after={seen[0]}"), 422, "bad_value", "after")


def test_requests_a_minute_are_counted_for_each_person(alice: User, bob: User) -> None:
    PersonalLimits.objects.create(user=alice, requests_a_minute=2)
    forget_pace(alice)
    first, second = Program(alice), Program(alice)
    statuses = [program.get("/me").status_code for program in (first, second, first, second)]
    if statuses.count(429) == 1:  # a minute has begun in between
        statuses = [200, 200, *[first.get("/me").status_code for _ in range(3)]][-4:]
    assert statuses[-1] == 429
    answer = second.get("/me")
    require_error(answer, 429, "too_many_requests")
    assert 1 <= int(answer["Retry-After"]) <= 60
    require_error(signed_in(alice).get(f"{V1}/me"), 429, "too_many_requests")
    assert Program(bob).get("/me").status_code == 200
    PersonalLimits.objects.update(unlimited=True)
    assert first.get("/me").status_code == 200


def test_without_the_broker_nobody_is_refused(alice: User, settings: Any) -> None:
    nowhere = {**settings.CACHES, "shared": {**settings.CACHES["shared"], "LOCATION": "redis://127.0.0.1:1/0"}}
    PersonalLimits.objects.create(user=alice, requests_a_minute=1)
    settings.CACHES = nowhere
    program = Program(alice)
    assert [program.get("/me").status_code for _ in range(3)] == [200] * 3


def test_the_text_of_a_token_is_told_once_and_kept_nowhere(alice: User) -> None:
    program = Program(alice)
    made = program.post("/tokens", NEW, Idempotency_Key="make-one")
    text = made.json()["token"]
    assert made.status_code == 201 and text.startswith(made.json()["prefix"])
    assert not any(text.rpartition("_")[2] in str(row) for row in KeptAnswer.objects.values_list())
    again = program.post("/tokens", NEW, Idempotency_Key="make-one")
    require_error(again, 409, "answer_not_kept", "Idempotency-Key")
    assert ApiToken.objects.filter(name="another").count() == 1
    listed = program.get("/tokens").json()["data"]
    assert {token["name"] for token in listed} == {"another", "program"} and "token" not in listed[0]


def test_above_the_most_tokens_there_is_none_more(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    program = Program(alice)
    assert "Revoke one" in require_error(program.post("/tokens", NEW), 409, "limit_reached")
    assert ApiToken.objects.count() == 1


def test_a_token_is_its_owners_to_see_and_revoke(alice: User, bob: User, admin: User) -> None:
    program = Program(alice)
    path = f"/tokens/{program.token.pk}"
    for stranger in (Program(bob), Program(admin, "read", "write", "admin")):
        require_error(stranger.get(path), 404, "not_found")
        require_error(stranger.ask("DELETE", path), 404, "not_found")
    assert program.get(path).json()["id"] == str(program.token.pk)
    assert program.ask("DELETE", path).status_code == 204
    require_error(program.get(path), 401, "bad_token")


def test_the_document_is_valid_openapi_3_1_and_every_operation_speaks_for_itself(client: Client) -> None:
    document = json.loads(client.get(f"{V1}/openapi.json").content)
    validate(document)
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method} {path}"
            assert operation["summary"] and operation["description"] and operation["tags"], name
            assert {"401", "403", "422", "429", "500"} <= set(operation["responses"]), name
            assert ("404" in operation["responses"]) == ("{" in path), name
            assert [sorted(entry) for entry in operation["security"]] == [["Token"], ["Session"]], name
            bodies = [operation.get("requestBody")] if "requestBody" in operation else []
            bodies += [answer for status, answer in operation["responses"].items() if status.startswith("2")]
            for body in bodies:
                for kind, content in body.get("content", {}).items():
                    assert kind != "application/json" or has_example(content, schemas), name


def has_example(content: dict[str, Any], schemas: dict[str, Any]) -> bool:
    schema = content["schema"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    items = schema.get("properties", {}).get("data", {}).get("items")
    nested = items is not None and has_example({"schema": items}, schemas)
    return "example" in content or "examples" in content or bool(schema.get("examples")) or nested


def test_the_reference_runs_nothing_inline_and_nothing_of_others(client: Client) -> None:
    page = client.get("/api/docs")
    text = page.content.decode()
    assert page.status_code == 200 and "style=" not in text and "<style" not in text
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text)
    for script in text.split("<script")[1:]:
        assert ' src="/static/' in script.partition(">")[0]
    assert "script-src 'self'" in page["Content-Security-Policy"]


@pytest.mark.parametrize("wrong", [{"name": "late", "expires_at": "2000-01-01T00:00:00Z"}, {"name": 5}, {}])
def test_a_refused_request_leaves_its_key_free(alice: User, wrong: dict[str, str]) -> None:
    program = Program(alice)
    assert program.post("/tokens", wrong, Idempotency_Key="once").status_code == 422
    assert not KeptAnswer.objects.exists()
    assert program.post("/tokens", NEW, Idempotency_Key="once").status_code == 201


@pytest.mark.parametrize("error", [tokens.TooManyTokens("You have enough."), RuntimeError("broken")])
def test_a_request_that_fails_after_it_wrote_leaves_nothing(
    alice: User, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    program, create = Program(alice), tokens.create_token

    def create_and_fail(**values: Any) -> None:
        create(**values)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "create_token", create_and_fail)
        assert program.post("/tokens", NEW, Idempotency_Key="once").status_code in (409, 500)
    assert [token.name for token in ApiToken.objects.all()] == ["program"] and not KeptAnswer.objects.exists()
    assert program.post("/tokens", NEW, Idempotency_Key="once").status_code == 201


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "once"}])
def test_each_request_counts_once(alice: User, headers: dict[str, str]) -> None:
    forget_pace(alice)
    program, cache = Program(alice), caches[rate_limit.CACHE]
    minutes = [int(timezone.now().timestamp() // 60) + later for later in (0, 1)]
    assert program.post("/tokens", NEW, **headers).status_code == 201
    assert sum(cache.get(f"requests:{alice.pk}:{minute}", 0) for minute in minutes) == 1


def test_expired_answers_are_removed_even_if_nobody_asks_again(alice: User) -> None:
    program = Program(alice)
    for key in ("old", "new"):
        program.post("/tokens", NEW, Idempotency_Key=key)
    KeptAnswer.objects.filter(key="old").update(created_at=timezone.now() - timedelta(hours=24))
    idempotency.forget_old()
    assert [kept.key for kept in KeptAnswer.objects.all()] == ["new"]


def test_expired_answers_are_removed(alice: User) -> None:
    program = Program(alice)
    program.post("/tokens", NEW, Idempotency_Key="old")
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24))
    assert program.post("/tokens", NEW, Idempotency_Key="new").status_code == 201
    assert [kept.key for kept in KeptAnswer.objects.all()] == ["new"]
    with transaction.atomic():
        alice.delete()
    assert not KeptAnswer.objects.exists()
