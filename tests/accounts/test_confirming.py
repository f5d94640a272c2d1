"""An open browser isn't enough to create a token or see a secret. The password is needed again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken, User
from botfactory.webhooks import services as webhooks
from tests.conftest import PASSWORD, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

CONFIRM = "/accounts/reauthenticate/"


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> None:
    cache.clear()


def test_making_a_token_asks_for_the_password_and_then_makes_it(alice: User) -> None:
    client = signed_in(alice)
    assert client.get("/tokens/").status_code == 200
    answer = client.post("/tokens/", {"name": "Nightly run", "may": "read"})
    assert answer.headers["Location"] == f"{CONFIRM}?next=%2Ftokens%2F" and not ApiToken.objects.exists()
    wrong = client.post(answer.headers["Location"], {"password": "not it", "next": "/tokens/"})
    assert wrong.status_code == 200 and not ApiToken.objects.exists()
    page = client.post(CONFIRM, {"password": PASSWORD, "next": "/tokens/"})
    made = re.search(r"bf_[0-9a-f]{12}_[0-9a-f]{64}", page.content.decode())
    assert made and "no-store" in page.headers["Cache-Control"]
    token = ApiToken.objects.get()
    assert (token.name, token.scopes, tokens.user_of_token(made[0])) == ("Nightly run", ["read"], alice)
    # It doesn't ask a second time within five minutes.
    assert client.post("/tokens/", {"name": "Another"}).status_code == 200
    session = client.session
    session["account_authentication_methods"] = [
        {**method, "at": method["at"] - 301} for method in session["account_authentication_methods"]
    ]
    session.save()
    assert client.post("/tokens/", {"name": "A third"}).status_code == 302
    assert ApiToken.objects.count() == 2


def test_a_token_of_one_session_is_made_by_the_interface_for_programs_only_once_it_is_confirmed(alice: User) -> None:
    client = signed_in(alice)

    def ask(browser: Client) -> Any:
        return browser.post("/api/v1/tokens", {"name": "x"}, content_type="application/json")

    refused = ask(client)
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "not_confirmed"
    assert CONFIRM in refused.json()["error"]["message"]
    client.post(CONFIRM, {"password": PASSWORD})
    assert ask(client).status_code == 201
    program = Client(headers={"Authorization": f"Bearer {tokens.create_token(owner=alice, name='y').text}"})
    assert ask(program).status_code == 201


def test_a_new_secret_for_a_webhook_asks_for_the_password(alice: User) -> None:
    made = webhooks.create(owner=alice, url="https://nowhere.invalid/", events=["job.failed"])
    client = signed_in(alice)
    path = f"/webhooks/{made.webhook.pk}/secret"
    assert client.post(path).headers["Location"].startswith(CONFIRM)
    assert client.post(f"/api/v1{path}").json()["error"]["code"] == "not_confirmed"
    answer = client.post(CONFIRM, {"password": PASSWORD, "next": path}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/webhooks/{made.webhook.pk}/" and "whsec_" in answer.content.decode()


def test_changing_addresses_asks_for_the_password_and_then_changes_them(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email="alice@example.org", primary=True)
    EmailAddress.objects.create(user=alice, email="other@example.org")
    client, path = signed_in(alice), "/accounts/email/"
    other = {"email": "other@example.org"}
    asks = (
        {"action_add": "", "email": "thief@example.org"},
        {"action_remove": "", **other},
        {"action_primary": "", **other},
    )
    for asked in asks:
        assert client.post(path, asked).headers["Location"].startswith(CONFIRM)
    left = dict(EmailAddress.objects.values_list("email", "primary"))
    assert left == {"alice@example.org": True, "other@example.org": False}
    page = client.post(CONFIRM, {"password": PASSWORD, "next": path}, follow=True)
    assert page.redirect_chain[-1][0] == path
    assert EmailAddress.objects.get(primary=True).email == "other@example.org"


def test_two_factor_is_switched_off_and_its_codes_are_shown_only_once_it_is_confirmed(alice: User) -> None:
    from tests.accounts.test_doors import with_two_factor

    client = signed_in(with_two_factor(alice))
    paths = ["totp/deactivate/", "recovery-codes/", "recovery-codes/generate/", "recovery-codes/download/"]
    asked = [client.get(f"/accounts/2fa/{path}").headers.get("Location", "") for path in paths]
    assert all(location.startswith("/accounts/") and "reauthenticate/" in location for location in asked)


def test_guessing_the_password_to_delete_the_account_is_limited(alice: User) -> None:
    client = signed_in(alice)
    pages = [client.post("/account/delete", {"password": "not it"}).content.decode() for _ in range(6)]
    assert ["Wrong password" in page for page in pages] == [True] * 5 + [False]
    assert "Too many failed attempts" in pages[-1]
    assert "Too many failed attempts" in client.post("/account/delete", {"password": PASSWORD}).content.decode()
    assert User.objects.filter(pk=alice.pk).exists()
