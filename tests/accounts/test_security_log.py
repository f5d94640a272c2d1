"""The security log records what happens to accounts, on every path, and contains no secrets."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from botfactory.accounts import passwords, security_log, services, tokens
from botfactory.accounts.models import ApiToken, SecurityEntry, User
from botfactory.accounts.security_log import Action
from tests.accounts.test_account_page import code
from tests.conftest import PASSWORD, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW_PASSWORD = "another battery staple"


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> None:
    cache.clear()


def sign_in(name: str, password: str = PASSWORD) -> Client:
    client = Client(REMOTE_ADDR="203.0.113.5", headers={"User-Agent": FIREFOX})
    client.post("/accounts/login/", {"login": name, "password": password})
    return client


def told() -> list[tuple[str, str, str]]:
    """Return the log, oldest first: what happened, to whose account, by whom."""
    return list(SecurityEntry.objects.order_by("pk").values_list("action", "who_name", "by_name"))


def test_signing_in_is_in_the_log_with_address_and_browser(alice: User) -> None:
    sign_in("alice")
    entry = SecurityEntry.objects.get()
    assert (entry.action, entry.who, entry.who_name, entry.by_name) == ("signed_in", alice, "alice", "")
    assert entry.address == "203.0.113.5" and entry.details == {"browser": "Firefox on Linux"}


def test_failures_are_counted_by_account_and_address_and_in_the_log_of_the_process(
    alice: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("botfactory"), "propagate", True)
    for name in ("alice", "alice", "My secret passphrase"):
        sign_in(name, "not the password")
    rows = list(SecurityEntry.objects.order_by("pk").values_list("action", "who_name", "address", "times"))
    assert rows == [("sign_in_failed", "alice", "203.0.113.5", 2), ("sign_in_failed", "", "203.0.113.5", 1)]
    assert "wrong password: alice from 203.0.113.5" in caplog.text
    assert "wrong password: an unknown account from 203.0.113.5" in caplog.text
    assert "secret passphrase" not in caplog.text and "not the password" not in caplog.text
    SecurityEntry.objects.update(at=timezone.now() - timedelta(hours=2))
    sign_in("alice", "not the password")
    assert SecurityEntry.objects.filter(who=alice).count() == 2


def test_the_right_password_of_a_deactivated_account_is_told_apart_in_the_log_only(
    alice: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("botfactory"), "propagate", True)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    sign_in("alice", "not the password")
    for _ in range(2):
        sign_in("alice")
    rows = list(SecurityEntry.objects.order_by("pk").values_list("action", "who_name", "address", "times"))
    assert rows == [("sign_in_failed", "alice", "203.0.113.5", 1), ("sign_in_refused", "alice", "203.0.113.5", 2)]
    assert "right password, but deactivated: alice from 203.0.113.5" in caplog.text
    # Who doesn't know the password reads the same as for any account.
    pages = [
        Client().post("/accounts/login/", {"login": name, "password": "not the password"}, follow=True)
        for name in ("alice", "nobody")
    ]
    assert all("Wrong username or password." in page.content.decode() for page in pages)
    assert "deactivated" not in pages[0].content.decode()


def test_passwords_two_factor_and_addresses_are_in_the_log(alice: User) -> None:
    client = sign_in("alice")
    change = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    client.post("/accounts/password/change/", change)
    client.post("/accounts/reauthenticate/", {"password": NEW_PASSWORD})
    client.post("/accounts/email/", {"email": "alice@example.org", "action_add": ""})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', " ".join(page.split()))
    assert secret
    client.post("/accounts/2fa/totp/activate/", {"code": code(secret[1])})
    second = sign_in("alice", NEW_PASSWORD)
    second.post("/accounts/2fa/authenticate/", {"code": "000000"})
    client.post("/accounts/2fa/recovery-codes/generate/")
    client.post("/accounts/2fa/totp/deactivate/")
    alice.refresh_from_db()
    link = Client(REMOTE_ADDR="203.0.113.5")
    page = link.get(passwords.reset_path(alice), follow=True).redirect_chain[-1][0]
    link.post(page, {"password1": PASSWORD, "password2": PASSWORD})
    assert [(action, who) for action, who, _ in told()] == [
        (action, "alice")
        for action in (
            "signed_in",
            "password_changed",
            "address_changed",
            "two_factor_on",
            "codes_made",
            "code_failed",
            "codes_made",
            "two_factor_off",
            "reset_link_made",
            "password_reset",
        )
    ]
    written = json.dumps([*SecurityEntry.objects.values_list("details", flat=True)])
    assert not any(text in written for text in (PASSWORD, NEW_PASSWORD, secret[1]))


def test_tokens_are_in_the_log_by_their_prefix(alice: User, admin: User) -> None:
    new = tokens.create_token(owner=alice, name="Nightly run")
    tokens.revoke_token(new.token)
    tokens.revoke_token(new.token)
    other = tokens.create_token(owner=alice, name="Another").token
    desk = signed_in(admin)
    SecurityEntry.objects.filter(action="signed_in").delete()
    desk.post("/admin/accounts/apitoken/", {"action": "revoke", "_selected_action": [str(other.pk)]})
    made, revoked = ("token_made", "alice", ""), ("token_revoked", "alice", "")
    assert told() == [made, revoked, made, ("token_revoked", "alice", "admin")]
    # The address is that of the request, if there was one.
    assert list(SecurityEntry.objects.order_by("pk").values_list("address", flat=True)) == [None] * 3 + ["127.0.0.1"]
    first = SecurityEntry.objects.earliest("pk")
    assert first.details == {"token": new.token.prefix, "name": "Nightly run", "scopes": ["read", "write"]}
    assert ApiToken.objects.filter(revoked_at=None).count() == 0


def test_what_administrators_do_to_accounts_is_in_the_log_with_their_name(admin: User, alice: User) -> None:
    desk = signed_in(admin)
    SecurityEntry.objects.all().delete()
    page = f"/admin/accounts/user/{alice.pk}/change/"
    fields: dict[str, Any] = {"username": "alice", "date_joined_0": "2026-11-25", "date_joined_1": "12:00:00"}
    inline = {"limits-TOTAL_FORMS": 0, "limits-INITIAL_FORMS": 0}
    assert desk.post(page, {**fields, **inline, "is_active": "on", "is_staff": "on"}).status_code == 302
    assert desk.post(page, {**fields, **inline, "is_active": "on", "is_staff": "on"}).status_code == 302
    new = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    assert desk.post(f"/admin/accounts/user/{alice.pk}/password/", new).status_code == 302
    for action in ("deactivate", "activate", "make_reset_link"):
        desk.post("/admin/accounts/user/", {"action": action, "_selected_action": [str(alice.pk)]})
    desk.post(f"/admin/accounts/user/{alice.pk}/delete/", {"post": "yes"})
    expected = ("roles_changed", "password_changed", "deactivated", "activated", "reset_link_made", "deleted")
    assert told() == [(action, "alice", "admin") for action in expected]
    assert SecurityEntry.objects.get(action="roles_changed").details == {
        "changed": ["is_staff"],
        "is_staff": True,
        "is_superuser": False,
    }
    # Entries remain after the account is deleted.
    assert not SecurityEntry.objects.exclude(who=None).exists()


def test_the_first_administrator_and_what_the_terminal_does_are_in_the_log(alice: User) -> None:
    services.make_founder_if_first(alice)
    User.objects.create(username="second", is_staff=True, is_superuser=True)
    call_command("reset_link", "alice")
    services.delete_account(alice)
    assert told() == [(action, "alice", "") for action in ("roles_changed", "reset_link_made", "deleted")]


def test_administrators_read_the_log_and_cannot_change_it(admin: User, alice: User) -> None:
    desk = signed_in(admin)
    entry = security_log.record(Action.SIGNED_IN, who=alice)
    page = f"/admin/accounts/securityentry/{entry.pk}"
    assert "alice" in desk.get("/admin/accounts/securityentry/?q=alice").content.decode()
    assert desk.get(f"{page}/change/").status_code == 200
    assert desk.post(f"{page}/change/", {"who_name": "bob"}).status_code == 403
    assert desk.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert desk.get("/admin/accounts/securityentry/add/").status_code == 403
    assert signed_in(alice).get("/admin/accounts/securityentry/").status_code == 403


def test_the_log_keeps_a_year_and_a_most(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [security_log.record(Action.SIGNED_IN, who=alice) for _ in range(5)]
    SecurityEntry.objects.filter(pk=entries[3].pk).update(at=timezone.now() - timedelta(days=366))
    monkeypatch.setattr(security_log, "MAX_ENTRIES", 3)
    assert security_log.tidy() == 3
    left = set(SecurityEntry.objects.values_list("pk", flat=True))
    assert left == {entries[2].pk, entries[4].pk}
    monkeypatch.setattr(security_log, "_TIDIED_EVERY", 1)
    security_log.record(Action.SIGNED_IN, who=alice)
    assert entries[2].pk not in set(SecurityEntry.objects.values_list("pk", flat=True))


def test_an_address_is_known_where_the_person_signed_in_lately(alice: User, bob: User) -> None:
    entry = security_log.record(Action.SIGNED_IN, who=alice)
    SecurityEntry.objects.update(address="2001:db8::1")
    assert security_log.is_known_place(alice, "2001:db8::2")
    assert not security_log.is_known_place(alice, "2001:db8:0:1::2")
    assert not security_log.is_known_place(bob, "2001:db8::2")
    assert not security_log.is_known_place(alice, None)
    SecurityEntry.objects.filter(pk=entry.pk).update(at=timezone.now() - timedelta(days=91))
    assert not security_log.is_known_place(alice, "2001:db8::2")
