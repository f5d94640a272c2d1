"""Who may ask the tweet server: tokens, methods and pages of other sites."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from tests.fakes.bluesky_server import BlueskyServer
from tests.tweets.tutorial import TutorialClient, require_error
from tweets.models import AuditEntry, Corpus

PAGE = "https://tutorial.example"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_bought_before")]


@pytest.fixture
def client(alice: User, live_server: Any) -> TutorialClient:
    return TutorialClient(live_server.url, tokens.create_token(owner=alice, name="tutorial").text)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "Send an API token"),
        ("bf_0123456789ab_" + "0" * 64, "expired or been revoked"),
        ("nonsense", "expired or been revoked"),
    ],
)
def test_without_a_token_that_works_nothing_is_asked(
    live_server: Any, bluesky: BlueskyServer, token: str, words: str
) -> None:
    answer = TutorialClient(live_server.url, token).get("prolific.bsky.social")
    require_error(answer, 401, words)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert not bluesky.requests


def test_revoked_expired_or_deactivated_is_out(
    client: TutorialClient, alice: User, bluesky: BlueskyServer, live_server: Any
) -> None:
    new = tokens.create_token(owner=alice, name="another")
    tokens.revoke_token(new.token)
    require_error(TutorialClient(live_server.url, new.text).get("prolific.bsky.social"), 401, "expired or been revoked")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    require_error(client.get("prolific.bsky.social"), 401, "expired or been revoked")


def test_a_token_that_may_not_read_reads_nothing(alice: User, live_server: Any, bluesky: BlueskyServer) -> None:
    text = tokens.create_token(owner=alice, name="writer", scopes=["write"]).text
    require_error(TutorialClient(live_server.url, text).get("prolific.bsky.social"), 403, "scope read")
    assert not bluesky.requests


def test_a_token_in_the_address_is_not_taken(live_server: Any, client: TutorialClient, bluesky: BlueskyServer) -> None:
    token = client.headers["Authorization"].removeprefix("Bearer ")
    answer = httpx.get(f"{live_server.url}/api/prolific.bsky.social", params={"token": token})
    require_error(answer, 401, "ends up in logs")


def test_a_session_is_no_token(alice: User, bluesky: BlueskyServer) -> None:
    from tests.conftest import signed_in

    assert signed_in(alice).get("/api/prolific.bsky.social").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_get_is_answered(client: TutorialClient, bluesky: BlueskyServer, method: str) -> None:
    answer = httpx.request(method, f"{client.url}/api/prolific.bsky.social", headers=client.headers)
    require_error(answer, 405, "Only GET")
    assert answer.headers["Allow"] == "GET" and not bluesky.requests


def test_what_was_read_by_whom_stands_in_the_audit_log(
    client: TutorialClient, bluesky: BlueskyServer, alice: User
) -> None:
    client.tweets("prolific.bsky.social")
    entry = AuditEntry.objects.get(action="export")
    assert (entry.about, entry.who) == ("@prolific.bsky.social (Bluesky)", alice)
    assert entry.details == {"posts": 200, "through": "API"}
    assert not Corpus.objects.exists()


def preflight(client: TutorialClient, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    return httpx.options(f"{client.url}/api/prolific.bsky.social", headers=headers)


def test_a_configured_page_may_ask_and_read_errors_too(
    client: TutorialClient, bluesky: BlueskyServer, settings: Any
) -> None:
    settings.CORS_ALLOWED_ORIGINS = [PAGE, "http://localhost:5173"]
    asked = preflight(client, PAGE)
    assert asked.status_code == 200 and asked.headers["Access-Control-Allow-Origin"] == PAGE
    assert "GET" in asked.headers["Access-Control-Allow-Methods"]
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"]
    for handle, status in (("prolific.bsky.social", 200), ("nobody.bsky.social", 404)):
        answer = client.get(handle, Origin=PAGE)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, PAGE)
        assert "origin" in answer.headers["Vary"] and "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origins", [[], [PAGE]])
def test_no_other_page_may(client: TutorialClient, bluesky: BlueskyServer, settings: Any, origins: list[str]) -> None:
    settings.CORS_ALLOWED_ORIGINS = origins
    for origin in ("https://evil.example", f"{PAGE}.evil.example", "null"):
        for answer in (preflight(client, origin), client.get("nobody.bsky.social", Origin=origin)):
            assert not any(name.startswith("access-control-") for name in answer.headers)


def test_a_star_is_every_page(client: TutorialClient, bluesky: BlueskyServer, settings: Any) -> None:
    settings.CORS_ALLOW_ALL_ORIGINS = True
    for answer in (preflight(client, "null"), client.get("nobody.bsky.social", Origin="null")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
