from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from botfactory.accounts import services, sessions, tokens
from botfactory.accounts.models import User
from tests.conftest import PASSWORD, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def sign_up(name: str) -> User:
    fields = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    answer = Client().post("/accounts/signup/", fields)
    assert answer.status_code == 302, answer.content.decode()
    return User.objects.get(username=name)


def test_the_first_who_signs_up_is_the_administrator_and_no_other() -> None:
    first, second = sign_up("first"), sign_up("second")
    assert (first.is_founder, first.is_staff, first.is_superuser) == (True, True, True)
    assert (second.is_founder, second.is_staff, second.is_superuser) == (False, False, False)


def test_who_signs_up_beside_an_administrator_is_not_one(admin: User) -> None:
    assert not sign_up("late").is_superuser


@pytest.mark.differs
def test_of_two_founders_at_once_the_second_is_an_ordinary_person(alice: User, bob: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_founder=True)
    assert not services.make_founder_if_first(bob)
    bob.refresh_from_db()
    assert not bob.is_superuser


def test_the_terminal_works_for_the_administrator() -> None:
    assert services.terminal_account().username == services.LOCAL_ACCOUNT
    founder = sign_up("founder")
    assert founder.is_superuser
    assert services.terminal_account() == founder


def test_the_terminal_account_cannot_be_signed_in_to() -> None:
    assert not services.terminal_account().has_usable_password()


def test_an_unknown_account_is_named(db: None) -> None:
    with pytest.raises(services.UnknownAccount, match="nobody"):
        services.terminal_account("nobody")


@pytest.mark.parametrize("path", ["/jobs/", "/corpora/", "/corpora/new", "/models/", "/admin/"])
def test_who_is_not_signed_in_is_asked_to(charlie: Client, path: str) -> None:
    answer = charlie.get(path)
    assert answer.status_code == 302 and "login" in answer["Location"]


def test_a_person_deletes_their_own_account_and_nobody_elses(alice: User, bob: User) -> None:
    client = signed_in(alice)
    assert client.get("/account/delete").status_code == 200
    page = client.post("/account/delete", {"password": "not it"})
    assert page.status_code == 400 and "Wrong password. Nothing was deleted." in page.content.decode()
    page = client.post("/account/delete", {"password": PASSWORD}, follow=True)
    assert "Your account is deleted." in page.content.decode()
    assert list(User.objects.all()) == [bob]
    assert "_auth_user_id" not in client.session


def test_a_wrong_current_password_is_called_wrong(alice: User) -> None:
    change = {"oldpassword": "not it", "password1": "a new pass phrase", "password2": "a new pass phrase"}
    page = signed_in(alice).post("/accounts/password/change/", change).content.decode()
    assert "Your current password is wrong. Try again." in page
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_the_only_administrator_stays_until_there_is_another(admin: User, bob: User) -> None:
    client = signed_in(admin)
    page = client.post("/account/delete", {"password": PASSWORD})
    assert page.status_code == 400 and "You are the only administrator here" in page.content.decode()
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    assert client.post("/account/delete", {"password": PASSWORD}).status_code == 302
    assert list(User.objects.all()) == [bob]


def test_deleting_an_account_is_for_those_who_are_signed_in(charlie: Client) -> None:
    for answer in (charlie.get("/account/delete"), charlie.post("/account/delete", {"password": PASSWORD})):
        assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")


def test_a_deleted_account_leaves_no_session_and_no_token_that_works(alice: User, admin: User) -> None:
    phone, desk = signed_in(alice), signed_in(admin)
    token = tokens.create_token(owner=alice, name="script").text
    looked: list[tuple[int, bool]] = []

    def look(user: User, by: User | None = None) -> dict[str, int]:
        looked.append((phone.get("/models/").status_code, tokens.find_token(token) is None))
        return {}

    services.register_farewell(look, count=look)
    try:
        services.delete_account(alice)
    finally:
        services._farewells.pop()
    assert looked == [(302, True), (302, True)], "it still worked while the deletion was going on"
    assert [session.get_decoded()["_auth_user_id"] for session in Session.objects.all()] == [str(admin.pk)]
    assert desk.get("/models/").status_code == 200


def test_ended_sessions_are_forgotten_with_their_addresses(alice: User) -> None:
    living, ended, expired = Client(), Client(), Client()
    for client in (living, ended, expired):
        client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        assert client.get("/models/").status_code == 200
    keys = [client.session.session_key for client in (living, ended, expired)]
    Session.objects.filter(pk=keys[1]).delete()
    Session.objects.filter(pk=keys[2]).update(expire_date=timezone.now() - timedelta(minutes=1))
    sessions.forget_ended()
    assert list(Session.objects.values_list("pk", flat=True)) == [keys[0]]
    assert list(UserSession.objects.values_list("session_key", flat=True)) == [keys[0]]


def test_a_deletion_is_counted_in_words() -> None:
    assert services.counted({"corpus": 2, "post": 1200, "file": 0, "bot": 1}) == "2 corpora, 1,200 posts and 1 bot"
    assert services.counted({"job": 3}) == "3 jobs"
    assert services.counted({"job": 0}) == "nothing"
