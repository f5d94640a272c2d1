"""Who can sign up: everybody, people with an invitation, or nobody. The first person always can."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from botfactory.accounts import rules, services, signup
from botfactory.accounts.models import Invitation, User
from botfactory.env import env_choice
from tests.conftest import PASSWORD, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> None:
    cache.clear()


def sign_up(name: str, invitation: str = "") -> Any:
    fields = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    return Client().post(f"/accounts/signup/?invitation={invitation}" if invitation else "/accounts/signup/", fields)


def by_invitation(settings: LazySettings) -> None:
    settings.SIGNUP_MODE = "invitation"


@pytest.mark.parametrize("mode", ["open", "invitation", "closed"])
def test_the_first_person_signs_up_whatever_the_mode_and_is_the_administrator(
    settings: LazySettings, mode: str
) -> None:
    settings.SIGNUP_MODE = mode
    services.terminal_account()
    assert 'href="/accounts/signup/"' in Client().get("/").content.decode()
    told = "The first account becomes the administrator."
    assert told in Client().get("/accounts/signup/").content.decode()
    assert sign_up("first").status_code == 302
    assert User.objects.get(username="first").is_superuser
    assert told not in Client().get("/accounts/signup/").content.decode()
    second = sign_up("second")
    assert second.status_code == (302 if mode == "open" else 403)
    assert User.objects.filter(username="second").exists() is (mode == "open")
    assert ('href="/accounts/signup/"' in Client().get("/").content.decode()) is (mode == "open")


def test_a_class_can_sign_up_and_sign_in_from_one_address_within_a_minute() -> None:
    names = [f"pupil-{number}" for number in range(40)]
    assert {sign_up(name).status_code for name in names} == {302}
    for name in names:
        fields = {"login": name, "password": PASSWORD}
        assert Client().post("/accounts/login/", fields).status_code == 302, name


@pytest.mark.parametrize(
    ("mode", "title", "sentence"),
    [
        ("closed", "Sign-up is closed", "Ask its administrator"),
        ("invitation", "By invitation only", "Ask the administrator for a link"),
    ],
)
def test_who_cannot_sign_up_is_told_why(
    admin: User, settings: LazySettings, mode: str, title: str, sentence: str
) -> None:
    settings.SIGNUP_MODE = mode
    for answer in (Client().get("/accounts/signup/"), sign_up("late")):
        page = answer.content.decode()
        assert answer.status_code == 403 and title in page and sentence in page and 'name="password1"' not in page
    login = Client().get("/accounts/login/").content.decode()
    assert "/accounts/signup/" not in login and ("Open the link" in login) is (mode == "invitation")
    assert not User.objects.filter(username="late").exists()


def test_an_invitation_lets_so_many_people_in_and_tells_who(admin: User, settings: LazySettings) -> None:
    by_invitation(settings)
    new = signup.invite(by=admin, note="the choir", uses=2)
    assert new.text not in str(Invitation.objects.values().get()) and new.text not in repr(new)
    page = Client().get(signup.path_of(new)).content.decode()
    assert 'name="password1"' in page and f"?invitation={new.text}" in page and "You have an invitation" in page
    for name in ("anna", "ben"):
        assert sign_up(name, new.text).status_code == 302
    third = sign_up("carl", new.text)
    assert third.status_code == 403 and "has already been used" in third.content.decode()
    new.invitation.refresh_from_db()
    assert (new.invitation.used, signup.standing(new.invitation)) == (2, "used")
    assert sorted(new.invitation.guests.values_list("username", flat=True)) == ["anna", "ben"]
    assert not User.objects.get(username="anna").is_superuser
    services.delete_account(User.objects.get(username="anna"))
    assert sign_up("carl", new.text).status_code == 403


def test_a_form_filled_in_wrongly_uses_nothing_up(admin: User, settings: LazySettings) -> None:
    by_invitation(settings)
    new = signup.invite(by=admin)
    answer = Client().post(signup.path_of(new), {"username": "a", "password1": "x", "password2": "y"})
    assert answer.status_code == 200 and 'name="password1"' in answer.content.decode()
    new.invitation.refresh_from_db()
    assert new.invitation.used == 0


def test_invitations_that_do_not_work_say_why(admin: User, settings: LazySettings) -> None:
    by_invitation(settings)
    expired, revoked, fine = (signup.invite(by=admin) for _ in range(3))
    Invitation.objects.filter(pk=expired.invitation.pk).update(expires_at=timezone.now())
    signup.revoke(revoked.invitation)
    cases = [
        (expired.text, "has expired"),
        (revoked.text, "was withdrawn"),
        ("x" * 32, "know this invitation"),
        ("x" * 5000, "know this invitation"),
        (f"{fine.text}x", "know this invitation"),
        ("%00", "know this invitation"),
    ]
    for text, sentence in cases:
        for answer in (Client().get(f"/accounts/signup/?invitation={text}"), sign_up("late", text)):
            assert answer.status_code == 403 and sentence in answer.content.decode(), text[:40]
    settings.SIGNUP_MODE = "closed"
    assert "doesn’t accept new accounts" in sign_up("late", fine.text).content.decode()
    settings.SIGNUP_MODE = "open"
    assert sign_up("late", "x" * 32).status_code == 302
    fine.invitation.refresh_from_db()
    assert fine.invitation.used == 0


@pytest.mark.differs
def test_of_many_who_want_the_last_use_at_once_one_gets_it(admin: User, settings: LazySettings) -> None:
    by_invitation(settings)
    new = signup.invite(by=admin)

    def come(number: int) -> int:
        try:
            status: int = sign_up(f"guest{number}", new.text).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(come, range(4)))
    assert statuses == [302, 403, 403, 403]
    assert User.objects.filter(username__startswith="guest").count() == 1


def test_the_administrator_decides_who_may_sign_up(admin: User, settings: LazySettings) -> None:
    client = signed_in(admin)
    path = f"/admin/accounts/houserules/{rules.row().pk}/change/"
    assert "From the settings: everybody" in client.get(path).content.decode()
    usual = {"public_sharing": "unknown", "open_gallery": "unknown"}
    assert client.post(path, {"signup_mode": "closed", **usual}).status_code == 302
    assert sign_up("late").status_code == 403
    settings.SIGNUP_MODE = "closed"
    client.post(path, {"signup_mode": "", **usual})
    assert sign_up("late").status_code == 403
    client.post(path, {"signup_mode": "open", **usual})
    assert sign_up("late").status_code == 302


def test_the_administrator_makes_and_revokes_invitations(admin: User, bob: User, settings: LazySettings) -> None:
    by_invitation(settings)
    client = signed_in(admin)
    list_page, add = "/admin/accounts/invitation/", "/admin/accounts/invitation/add/"
    assert "How many people can sign up with it" in client.get(add).content.decode()
    for wrong in (
        {"uses": "0"},
        {"uses": "10001"},
        {"uses": "1", "expires_at": "2020-01-01T00:00"},
    ):
        assert client.post(add, {"note": "x", **wrong}).status_code == 200
    assert not Invitation.objects.exists()
    page = client.post(add, {"note": "the choir", "uses": "3"}, follow=True).content.decode()
    link = re.search(r"http://testserver(/accounts/signup/\?invitation=[\w-]+)", page)
    assert link and "show it again" in page
    invitation = Invitation.objects.get()
    assert (invitation.note, invitation.uses, invitation.by) == ("the choir", 3, admin)
    text = link[1].partition("=")[2]
    assert sign_up("anna", text).status_code == 302
    page = client.get(f"{list_page}{invitation.pk}/change/").content.decode()
    assert "anna" in page and text not in page
    client.post(list_page, {"action": "revoke", "_selected_action": [str(invitation.pk)]})
    assert "was withdrawn" in sign_up("ben", text).content.decode()
    assert signed_in(bob).get(add).status_code == 403


def test_the_terminal_invites(admin: User, settings: LazySettings) -> None:
    by_invitation(settings)
    out = StringIO()
    call_command("invite", uses=2, days=1, note="by hand", address="https://bots.example.org/", stdout=out)
    invitation = Invitation.objects.get()
    assert (invitation.uses, invitation.note, invitation.by) == (2, "by hand", admin)
    assert invitation.expires_at and invitation.expires_at < timezone.now() + timedelta(days=1)
    link = out.getvalue().strip()
    assert link.startswith("https://bots.example.org/accounts/signup/?invitation=")
    assert sign_up("anna", link.partition("=")[2]).status_code == 302
    settings.ALLOWED_HOSTS, settings.HTTPS = ["bots.example.org"], True
    out = StringIO()
    call_command("invite", days=0, stdout=out)
    assert out.getvalue().startswith("https://bots.example.org/accounts/signup/")
    assert Invitation.objects.first().expires_at is None  # type: ignore[union-attr]
    for wrong in ({"uses": 0}, {"days": -1}):
        with pytest.raises(CommandError, match="invitation"):
            call_command("invite", **wrong)


def test_a_mode_that_nobody_knows_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNUP_MODE", "friends")
    with pytest.raises(ImproperlyConfigured, match=r"SIGNUP_MODE='friends' .* open, invitation, closed"):
        env_choice("SIGNUP_MODE", "open", ("open", "invitation", "closed"))
