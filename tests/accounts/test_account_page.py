"""The account page, its list of sessions, and two-factor sign-in."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from botfactory.accounts import limits, meters, tokens
from botfactory.accounts.models import PersonalLimits, User
from tests.conftest import PASSWORD, confirmed, signed_in
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> None:
    cache.clear()


def sign_in(name: str, browser: str = "A browser") -> Client:
    client = Client(headers={"User-Agent": browser})
    answer = client.post("/accounts/login/", {"login": name, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_the_page_gathers_what_there_is_to_look_after(alice: User) -> None:
    PersonalLimits.objects.create(user=alice, corpora=7, stored_mb=12345)
    User.objects.filter(pk=alice.pk).update(email="alice@example.org")
    tokens.create_token(owner=alice, name="one")
    client = sign_in("alice")
    page = client.get("/account/").content.decode()
    for path in ("email/", "password/change/", "2fa/", "sessions/"):
        assert f'href="/accounts/{path}"' in page
    assert 'href="/tokens/"' in page and 'href="/account/delete"' in page
    assert "alice@example.org" in page and "Signed in on 1 browser" in page and "12,345" in page
    assert re.search(
        r"<span>Corpora</span>\s*<span class=\"num\">0 of 7</span>\s*<progress max=\"7\" value=\"0\"", page
    )
    assert re.search(r"<span>API requests per minute</span>\s*<span class=\"num\">at most 300</span>\s*</li>", page)
    assert 'href="/account/export"' in page
    assert 'href="/account/"' in client.get("/").content.decode()
    assert Client().get("/account/")["Location"].startswith("/accounts/login/")


def test_bars_say_how_much_of_a_limit_is_used(alice: User) -> None:
    PersonalLimits.objects.create(user=alice, corpora=10, queued_jobs=0, training_minutes_a_day=60)
    meters.add(alice.pk, "training_minutes_a_day", f"{timezone.now():%Y-%m-%d}", 48 * 60)
    Corpus.objects.bulk_create(Corpus(owner=alice, name=f"Posts {number}") for number in range(11))
    page = signed_in(alice).get("/account/").content.decode()

    def row(name: str) -> str:
        rows = page[page.index('<ul class="gauges">') :].split("<li ")[1:]
        return rows[list(limits.SETTINGS).index(name)]

    minutes, corpora, waiting = row("training_minutes_a_day"), row("corpora"), row("queued_jobs")
    assert "Minutes of training today" in minutes and "48 of 60" in minutes and 'class="high"' in minutes
    assert "11 of 10" in corpora and 'class="full"' in corpora and 'max="10" value="11"' in corpora
    assert "0 of 0" in waiting and "<progress" not in waiting
    PersonalLimits.objects.update(unlimited=True)
    assert "48, no limit" in signed_in(alice).get("/account/").content.decode()


def test_a_person_sees_and_ends_their_own_sessions(alice: User, bob: User) -> None:
    here, phone, other = sign_in("alice", "Here"), sign_in("alice", "Phone <b>"), sign_in("alice", "Other")
    theirs = sign_in("bob", "Of bob")
    page = here.get("/accounts/sessions/").content.decode()
    assert "This browser" in page and "Phone &lt;b&gt;" in page and "Other" in page and "Of bob" not in page
    numbers = {session.user_agent: session.pk for session in UserSession.objects.all()}
    for nobodys in (numbers["Of bob"], numbers["Here"], 999_999):
        assert here.post(f"/account/sessions/{nobodys}/end").status_code == 404
    assert is_in(here) and is_in(theirs) and is_in(phone)
    assert here.post(f"/account/sessions/{numbers['Phone <b>']}/end").status_code == 302
    assert (is_in(phone), is_in(other), is_in(here)) == (False, True, True)
    page = here.post("/account/sessions/end", follow=True).content.decode()
    assert "Ended 1 session." in page and "You aren’t signed in anywhere else." in page
    assert (is_in(other), is_in(here), is_in(theirs)) == (False, True, True)
    assert "You aren’t signed in anywhere else." in here.post("/account/sessions/end", follow=True).content.decode()
    assert here.get("/account/sessions/end").status_code == 405
    assert Client().post("/account/sessions/end")["Location"].startswith("/accounts/login/")


def code(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    text: str = format_hotp_value(hotp_value(secret, counter))
    return text


def test_two_factor_sign_in_is_set_up_asked_for_and_helped_out_by_recovery_codes(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email="alice@example.org", primary=True)
    client = sign_in("alice")
    assert client.get("/accounts/2fa/totp/activate/")["Location"].startswith("/accounts/reauthenticate/")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r'id="authenticator_secret"[^>]*value="(\w+)"', " ".join(page.split()))
    assert secret and "data:image/svg+xml" in page
    answer = client.post("/accounts/2fa/totp/activate/", {"code": "000000"})
    assert answer.status_code == 200 and "Incorrect code" in answer.content.decode()
    page = client.post("/accounts/2fa/totp/activate/", {"code": code(secret[1])}, follow=True).content.decode()
    codes = re.findall(r"\b[0-9a-z]{8}\b", client.get("/accounts/2fa/recovery-codes/download/").content.decode())
    assert len(codes) == 10
    assert "On, 10 recovery codes left" in client.get("/account/").content.decode()
    second = Client()
    asked = second.post("/accounts/login/", {"login": "alice", "password": PASSWORD}, follow=True)
    assert 'name="code"' in asked.content.decode() and not is_in(second)
    second.post("/accounts/2fa/authenticate/", {"code": "wrong"})
    assert not is_in(second)
    second.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_in(second)
    assert "On, 9 recovery codes left" in second.get("/account/").content.decode()


def test_addresses_are_added_put_first_and_removed(alice: User) -> None:
    client = confirmed(sign_in("alice"))
    for address in ("one@example.org", "two@example.org"):
        client.post("/accounts/email/", {"email": address, "action_add": ""})
    page = client.get("/accounts/email/").content.decode()
    assert "one@example.org" in page and "two@example.org" in page
    # Without mail, the page doesn't mention confirming.
    assert "confirmed" not in page and 'name="action_send"' not in page
    client.post("/accounts/email/", {"email": "one@example.org", "action_remove": ""})
    left = list(EmailAddress.objects.filter(user=alice).values_list("email", flat=True))
    client.post("/accounts/email/", {"email": "two@example.org", "action_primary": ""})
    assert "two@example.org" in left and EmailAddress.objects.get(email="two@example.org").primary


def test_pages_of_the_account_are_for_those_who_are_signed_in_and_look_like_ours(alice: User) -> None:
    client = signed_in(alice)
    paths = ["email/", "password/change/", "2fa/", "2fa/totp/activate/", "sessions/", "logout/"]
    for path in paths:
        page = client.get(f"/accounts/{path}", follow=True).content.decode()
        assert 'class="brand"' in page and page.count("<h1") == 1, path
        assert Client().get(f"/accounts/{path}").status_code == 302, path


def test_recovery_codes_are_a_list_to_copy_or_download_and_nothing_to_type_in(alice: User) -> None:
    TOTP.activate(alice, generate_totp_secret())
    codes = RecoveryCodes.activate(alice).get_unused_codes()
    client = confirmed(signed_in(alice))
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert re.findall(r"<li><code>(\w+)</code></li>", page) == codes and len(codes) == 10
    assert "<textarea" not in page and 'type="checkbox"' not in page and "10 of 10 codes left" in page
    assert 'data-copy-from="#recovery-codes"' in page and 'id="recovery-codes"' in page
    assert 'href="/accounts/2fa/recovery-codes/download/"' in page
    # No inline script, neither ours nor allauth's: the policy of the pages forbids it.
    assert not re.search(r"<script(?![^>]*src=)[^>]*>", page)
    assert (
        "10 codes you have now will stop working"
        in client.get("/accounts/2fa/recovery-codes/generate/").content.decode()
    )
    client.post("/accounts/2fa/recovery-codes/generate/")
    renewed = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert len(re.findall(r"<li><code>\w+</code></li>", renewed)) == 10 and not any(code in renewed for code in codes)


def test_sessions_name_browser_and_system(alice: User) -> None:
    here = sign_in("alice", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    sign_in("alice", f"{iphone} Version/18.5 Mobile/15E148 Safari/604.1")
    page = here.get("/accounts/sessions/").content.decode()
    assert ">Firefox on Linux</span>" in page and ">Safari on iPhone</span>" in page
    assert 'aria-label="End the session on Safari on iPhone from 127.0.0.1"' in page
