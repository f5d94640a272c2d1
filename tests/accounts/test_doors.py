"""Only the sign-in page opens a session with a password, with its second factor and its limits."""

from __future__ import annotations

import io
from urllib.parse import quote

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory

from botfactory.accounts import rules, tokens, two_factor
from botfactory.accounts.models import HouseRules, User
from botfactory.rest.access import ADMINISTRATORS
from botfactory.rest.errors import ApiError
from tests.conftest import PASSWORD, signed_in
from tests.routes import filled, routes

pytestmark = pytest.mark.django_db(transaction=True)

SIGN_IN = "/accounts/login/"


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> None:
    cache.clear()


def fields_of(name: str) -> dict[str, str]:
    """Return a name and a password under every field name that a form might use."""
    names = dict.fromkeys(("username", "login", "email", "user", "name"), name)
    passwords = dict.fromkeys(("password", "password1", "password2", "old_password", "oldpassword"), PASSWORD)
    return {**names, **passwords, "this_is_the_login_form": "1", "next": "/account/"}


def who(client: Client) -> str | None:
    """Return the person whose session the browser has."""
    found: str | None = client.session.get(SESSION_KEY)
    return found


def with_two_factor(user: User) -> User:
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    return user


def opened_by_a_password(user: User) -> list[str]:
    """Return the routes at which a name and a password open a session, other than that of a new visitor."""
    opened = []
    nobody = Client(raise_request_exception=False)
    for route in routes():
        nobody.post(filled(route, {}), fields_of(user.username))
        if User.objects.filter(pk=who(nobody) or 0, is_visitor=False).exists():
            opened.append(route)
        nobody.cookies.clear()
    return opened


def test_no_page_but_the_sign_in_page_opens_a_session_with_a_password(admin: User) -> None:
    assert opened_by_a_password(admin) == [SIGN_IN]


def test_with_two_factor_on_no_page_opens_a_session_with_a_password_alone(admin: User) -> None:
    assert opened_by_a_password(with_two_factor(admin)) == []


def test_who_is_signed_in_becomes_nobody_else_with_a_password(admin: User, bob: User) -> None:
    bob.set_password("a password of his own")
    bob.is_staff = True
    bob.save()
    client = signed_in(bob)
    session = client.cookies["sessionid"].value
    # Those that sign out come last.
    asked = [route for route in routes() if route.startswith(("/admin/", "/accounts/"))]
    asked.sort(key=lambda route: "logout" in route)
    became = {}
    for route in asked:
        client.post(filled(route, {}), fields_of("admin"))
        became[route] = who(client)
        client.cookies["sessionid"] = session
    assert {route for route, person in became.items() if person not in (str(bob.pk), None)} == set()
    assert became["/admin/"] == str(bob.pk)


def test_the_administration_sends_who_is_not_signed_in_to_the_one_sign_in_page(charlie: Client, admin: User) -> None:
    for path in ("/admin/", "/admin/house/", "/admin/jobs/job/?q=x", "/admin/nowhere"):
        assert charlie.get(path).headers["Location"] == f"{SIGN_IN}?next={quote(path, safe='')}"
    for answer in (
        charlie.get("/admin/login/?next=/admin/jobs/job/"),
        charlie.post("/admin/login/?next=/admin/jobs/job/"),
    ):
        assert answer.headers["Location"] == f"{SIGN_IN}?next=%2Fadmin%2Fjobs%2Fjob%2F"
    answer = charlie.post(f"{SIGN_IN}", {"login": "admin", "password": PASSWORD, "next": "/admin/jobs/job/"})
    assert answer.headers["Location"] == "/admin/jobs/job/" and charlie.get("/admin/jobs/job/").status_code == 200
    assert charlie.get("/admin/login/").headers["Location"] == "/admin/"


def test_who_is_not_of_the_staff_is_told_so_and_finds_the_way_back(alice: User) -> None:
    client = signed_in(alice)
    for path in ("/admin/", "/admin/login/", "/admin/house/", "/admin/accounts/user/", "/admin/nowhere"):
        answer = client.get(path)
        page = answer.content.decode()
        assert answer.status_code == 403, path
        assert 'class="brand"' in page and "for administrators" in page and 'href="/"' in page


def test_signing_out_and_changing_the_password_are_the_products_own_in_the_administration_too(admin: User) -> None:
    client = signed_in(admin)
    assert client.get("/admin/password_change/").headers["Location"] == "/accounts/password/change/"
    answer = client.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": "another horse 1"})
    assert answer.headers["Location"] == "/accounts/password/change/"
    assert client.get("/admin/password_change/done/").headers["Location"] == "/accounts/password/change/"
    assert client.get("/admin/logout/").headers["Location"] == "/accounts/logout/" and who(client)
    assert client.post("/admin/logout/").status_code == 302 and who(client) is None


def test_with_the_house_rule_an_administrator_without_two_factor_is_led_to_set_it_up(admin: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    client = signed_in(admin)
    page = f"/admin/accounts/houserules/{rules.row().pk}/change/"
    assert "administrators_need_two_factor" in client.get(page).content.decode()
    decided = {"public_sharing": "unknown", "open_gallery": "unknown", "administrators_need_two_factor": "on"}
    assert client.post(page, decided).status_code == 302
    assert rules.house_rules().administrators_need_two_factor
    for path in ("/admin/", "/admin/house/", "/admin/base-models/", "/admin/login/", page):
        for who_is_staff in (client, signed_in(bob)):
            assert who_is_staff.get(path).headers["Location"] == "/accounts/2fa/", path
            assert who_is_staff.post(path).headers["Location"] == "/accounts/2fa/", path
    # Setting it up, and everything else, stays open.
    shown = client.get("/admin/", follow=True).content.decode()
    assert "Administrators here need two-factor sign-in." in shown and "/accounts/2fa/totp/activate/" in shown
    assert client.get("/models/").status_code == 200
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200
    with_two_factor(admin)
    assert client.get("/admin/").status_code == 200
    two_factor.switch_off(admin)
    assert client.get("/admin/").status_code == 302


def test_with_the_house_rule_the_interface_for_programs_asks_administrators_for_two_factor_too(admin: User) -> None:
    text = tokens.create_token(owner=admin, name="A script", scopes=["read", "admin"]).text
    program = Client(headers={"Authorization": f"Bearer {text}"})
    asked = RequestFactory().get("/", headers={"Authorization": f"Bearer {text}"})
    by_token = ADMINISTRATORS[0]
    assert by_token(asked) is not None
    HouseRules.objects.create(pk=HouseRules.THE_ROW, administrators_need_two_factor=True)
    assert program.get("/api/v1/me").json()["access"]["scopes"] == ["read"]
    with pytest.raises(ApiError, match="Set it up under /accounts/2fa/") as refusal:
        by_token(asked)
    assert refusal.value.status == 403
    with pytest.raises(tokens.TokenError, match="need two-factor sign-in"):
        tokens.create_token(owner=admin, name="Another", scopes=["admin"])
    with_two_factor(admin)
    assert program.get("/api/v1/me").json()["access"]["scopes"] == ["read", "admin"]
    assert tokens.create_token(owner=admin, name="Another", scopes=["admin"]).token.pk


def test_who_has_lost_phone_and_codes_is_let_in_from_the_terminal(admin: User) -> None:
    with_two_factor(admin)
    out = io.StringIO()
    call_command("two_factor_off", "admin", stdout=out)
    assert "Turned off two-factor sign-in for admin" in out.getvalue() and not two_factor.has(admin)
    call_command("two_factor_off", "admin", stdout=out)
    assert "has no two-factor sign-in" in out.getvalue()
    with pytest.raises(CommandError, match="no account named"):
        call_command("two_factor_off", "nobody")


def test_the_administration_shows_no_secret_of_a_second_factor_and_no_key_of_a_session(
    admin: User, alice: User
) -> None:
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    nobody = Client()
    nobody.post(SIGN_IN, {"login": "admin", "password": PASSWORD})
    key, client = str(nobody.session.session_key), signed_in(admin)
    authenticator, session = Authenticator.objects.get(), UserSession.objects.get()
    assert key == session.session_key
    for model, row in (("mfa/authenticator", authenticator), ("usersessions/usersession", session)):
        pages = [f"/admin/{model}/", f"/admin/{model}/{row.pk}/change/", f"/admin/{model}/{row.pk}/delete/"]
        for page in pages:
            answer = client.get(page)
            assert (
                answer.status_code == 200
                and secret not in answer.content.decode()
                and key not in answer.content.decode()
            )
        assert client.get(f"/admin/{model}/add/").status_code == 403
    client.post(f"/admin/mfa/authenticator/{authenticator.pk}/delete/", {"post": "yes"})
    assert not two_factor.has(alice)
    client.post(f"/admin/usersessions/usersession/{session.pk}/delete/", {"post": "yes"})
    assert nobody.get("/account/").status_code == 302
