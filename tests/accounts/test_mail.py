"""Confirming addresses and resetting passwords, with and without a mail server."""

from __future__ import annotations

import base64
import re
from io import StringIO
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client

from botfactory.accounts import passwords
from botfactory.accounts.models import SecurityEntry, User
from botfactory.env import MailServer, env_mail
from tests.conftest import PASSWORD, confirmed, signed_in
from tests.fakes import smtp_server

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "another horse battery"


@pytest.fixture(autouse=True)
def no_rate_limits_of_tests_before() -> None:
    cache.clear()


@pytest.fixture
def with_mail(settings: LazySettings) -> None:
    settings.MAIL_SERVER = MailServer("127.0.0.1", 25, "", "")
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]


def sign_up(client: Client, name: str, email: str = "") -> Any:
    return client.post(
        "/accounts/signup/", {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
    )


def sign_in(name: str, password: str = PASSWORD) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": name, "password": password})
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def link_in(text: str) -> str:
    found = re.search(r"http://testserver(/[^\s<\"]+)", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtps://bots%40example.org:a%3Ab%2F@mail.example.org", ("mail.example.org", 465, "implicit")),
        ("smtp+tls://bots%40example.org:a%3Ab%2F@mail.example.org:2525", ("mail.example.org", 2525, "starttls")),
        ("smtp://localhost", ("localhost", 25, "")),
    ],
)
def test_the_mail_server_is_read_from_its_address(
    monkeypatch: pytest.MonkeyPatch, url: str, server: tuple[str, int, str]
) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    found = env_mail("EMAIL_URL")
    assert found and (found.host, found.port, found.tls) == server
    assert (found.user, found.password) == (("bots@example.org", "a:b/") if "bots" in url else ("", ""))
    assert "a:b/" not in repr(found)


@pytest.mark.parametrize(
    "url", ["mail.example.org", "http://x", "smtp://", "smtps://user:secret@host:port", "smtp://h/x"]
)
def test_an_address_that_is_none_stops_the_start_and_is_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    with pytest.raises(ImproperlyConfigured, match="smtps://") as error:
        env_mail("EMAIL_URL")
    assert "secret" not in str(error.value)


def test_an_address_is_confirmed_before_its_owner_is_let_in(with_mail: None, admin: User) -> None:
    client = Client()
    page = client.post(
        "/accounts/signup/",
        {"username": "anna", "email": "anna@example.org", "password1": PASSWORD, "password2": PASSWORD},
        follow=True,
    ).content.decode()
    assert "Confirm your address" in page and not is_in(client) and not is_in(sign_in("anna"))
    assert mail.outbox[0].to == ["anna@example.org"] and mail.outbox[0].subject.startswith("[Bot Factory]")
    link = link_in(str(mail.outbox[0].body))
    page = client.get(link).content.decode()
    assert "anna@example.org" in page and "<form" in page
    client.post(link)
    assert is_in(sign_in("anna"))
    assert EmailAddress.objects.get(email="anna@example.org").verified


def test_with_mail_an_address_is_needed_and_without_it_is_not(admin: User, settings: LazySettings) -> None:
    assert is_in(_signed_up("anna"))
    assert mail.outbox == []
    settings.ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
    assert sign_up(Client(), "ben").status_code == 200 and not User.objects.filter(username="ben").exists()


def _signed_up(name: str, email: str = "") -> Client:
    client = Client()
    assert sign_up(client, name, email).status_code == 302
    return client


def test_who_was_here_before_there_was_mail_comes_in(alice: User, with_mail: None) -> None:
    """People without an address get in. Those with an unconfirmed one have to confirm it."""
    assert is_in(sign_in("alice"))
    EmailAddress.objects.create(user=alice, email="alice@example.org", primary=True)
    assert not is_in(sign_in("alice"))
    assert mail.outbox[-1].to == ["alice@example.org"]


def test_a_forgotten_password_is_set_by_mail(alice: User, with_mail: None) -> None:
    EmailAddress.objects.create(user=alice, email="alice@example.org", primary=True, verified=True)
    User.objects.filter(pk=alice.pk).update(email="alice@example.org")
    before = sign_in("alice")
    client = Client()
    page = client.post("/accounts/password/reset/", {"email": "alice@example.org"}, follow=True).content.decode()
    assert "Check your mail" in page
    page = _set_password(client, link_in(str(mail.outbox[-1].body)))
    assert "Your new password is set" in page
    assert is_in(sign_in("alice", NEW)) and not is_in(sign_in("alice")) and not is_in(before)
    unknown = Client().post("/accounts/password/reset/", {"email": "nobody@example.org"}, follow=True)
    assert "Check your mail" in unknown.content.decode()


def _set_password(client: Client, link: str) -> str:
    form = client.get(link, follow=True)
    assert 'name="password1"' in form.content.decode()
    answer = client.post(form.request["PATH_INFO"], {"password1": NEW, "password2": NEW}, follow=True)
    page: str = answer.content.decode()
    return page


def test_without_mail_one_is_told_to_ask_the_administrator(alice: User) -> None:
    for answer in (
        Client().get("/accounts/password/reset/"),
        Client().post("/accounts/password/reset/", {"email": "alice@example.org"}),
    ):
        page = answer.content.decode()
        assert "Ask its administrator" in page and 'name="email"' not in page
    assert mail.outbox == []
    assert "/accounts/password/reset/" in Client().get("/accounts/login/").content.decode()


def test_the_administrator_makes_a_link_for_a_new_password(alice: User, bob: User, admin: User) -> None:
    path = "/admin/accounts/user/"
    chosen: dict[str, Any] = {"action": "make_reset_link", "_selected_action": [str(alice.pk)]}
    page = signed_in(admin).post(path, chosen, follow=True).content.decode()
    assert "Your new password is set" in _set_password(Client(), link_in(page))
    assert is_in(sign_in("alice", NEW))
    used = Client().get(link_in(page), follow=True).content.decode()
    assert "This link doesn’t work" in used
    both = {**chosen, "_selected_action": [str(alice.pk), str(bob.pk)]}
    assert "Select one person" in signed_in(admin).post(path, both, follow=True).content.decode()
    assert signed_in(bob).post(path, chosen).status_code == 403


def test_the_terminal_makes_a_link_and_its_address_counts_as_confirmed(alice: User, with_mail: None) -> None:
    EmailAddress.objects.create(user=alice, email="wrong@example.org", primary=True)
    out = StringIO()
    call_command("reset_link", "alice", address="http://testserver", stdout=out)
    assert "Your new password is set" in _set_password(Client(), link_in(out.getvalue()))
    assert is_in(sign_in("alice", NEW))
    with pytest.raises(CommandError, match="no account named 'nobody'"):
        call_command("reset_link", "nobody")


def test_a_link_confirms_the_main_address_when_it_is_used_and_no_other(alice: User, bob: User, with_mail: None) -> None:
    main = EmailAddress.objects.create(user=alice, email="alice@example.org", primary=True)
    other = EmailAddress.objects.create(user=alice, email="boss@example.org")
    EmailAddress.objects.create(user=bob, email="taken@example.org", primary=True, verified=True)
    taken = EmailAddress.objects.create(user=alice, email="taken@example.org")
    link = passwords.reset_path(alice)
    assert not EmailAddress.objects.filter(user=alice, verified=True).exists()
    assert "Your new password is set" in _set_password(Client(), link)
    assert EmailAddress.objects.get(user=alice, verified=True) == main
    # A link by mail confirms nothing by itself.
    EmailAddress.objects.filter(user=alice).update(verified=False)
    Client().post("/accounts/password/reset/", {"email": "boss@example.org"})
    assert "Your new password is set" in _set_password(Client(), link_in(str(mail.outbox[-1].body)))
    assert not EmailAddress.objects.filter(user=alice, verified=True).exists()
    # An address that somebody else has confirmed stays theirs.
    EmailAddress.objects.filter(pk__in=[main.pk, other.pk]).delete()
    EmailAddress.objects.filter(pk=taken.pk).update(primary=True)
    alice.refresh_from_db()
    assert "Your new password is set" in _set_password(Client(), passwords.reset_path(alice))
    assert EmailAddress.objects.get(email="taken@example.org", verified=True).user == bob


def test_an_address_corrected_by_an_administrator_is_the_only_one_that_counts(admin: User, with_mail: None) -> None:
    sign_up(Client(), "anna", "anna@gmial.example")
    anna = User.objects.get(username="anna")
    page = f"/admin/account/emailaddress/{EmailAddress.objects.get(user=anna).pk}/change/"
    assert signed_in(admin).post(page, {"email": "Anna@gmail.example", "primary": "on"}).status_code == 302
    anna.refresh_from_db()
    assert anna.email == "anna@gmail.example"
    logged = SecurityEntry.objects.get(action="address_changed")
    assert (logged.who_name, logged.by_name) == ("anna", "admin")
    mail.outbox.clear()
    Client().post("/accounts/password/reset/", {"email": "anna@gmial.example"})
    assert [message.subject for message in mail.outbox] == ["[Bot Factory] No account with this address"]
    assert EmailAddress.objects.get(user=anna).email == "anna@gmail.example"


def test_an_administrator_chooses_the_main_address_and_deletes_others(alice: User, bob: User, admin: User) -> None:
    first = EmailAddress.objects.create(user=alice, email="one@example.org", primary=True)
    EmailAddress.objects.create(user=bob, email="bob@example.org", primary=True, verified=True)
    desk, path = signed_in(admin), "/admin/account/emailaddress/"
    for email, refused in (
        ("two@example.org", ""),
        ("Two@example.org", "already has this address"),
        ("bob@example.org", "Another account uses"),
    ):
        answer = desk.post(f"{path}add/", {"user": alice.pk, "email": email, "verified": "on"})
        assert answer.status_code == (200 if refused else 302) and refused in answer.content.decode()
    second = EmailAddress.objects.get(email="two@example.org")
    assert not second.primary
    desk.post(f"{path}{second.pk}/change/", {"email": second.email, "verified": "on", "primary": "on"})
    assert list(EmailAddress.objects.filter(user=alice, primary=True)) == [second]
    alice.refresh_from_db()
    assert alice.email == "two@example.org"
    chosen = {"action": "delete_selected", "_selected_action": [second.pk], "post": "yes"}
    desk.post(path, chosen)
    alice.refresh_from_db()
    assert alice.email == "one@example.org" and EmailAddress.objects.get(user=alice).primary
    desk.post(f"{path}{first.pk}/delete/", {"post": "yes"})
    alice.refresh_from_db()
    assert alice.email == ""
    # Their own page shows the address, but doesn't change it.
    assert 'name="email"' not in desk.get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()


def test_mail_goes_by_the_server_and_what_it_does_not_take_is_told(
    admin: User, with_mail: None, settings: LazySettings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "127.0.0.1", "bots", "secret"
    settings.DEFAULT_FROM_EMAIL = "Bot Factory <bots@example.org>"
    with smtp_server.MailServer() as server:
        settings.EMAIL_PORT = server.port
        assert sign_up(Client(), "anna", "anna@example.org").status_code == 302
    assert "To: anna@example.org" in server.messages[0] and "From: Bot Factory <bots@example.org>" in server.messages[0]
    assert base64.b64decode(server.logins[0]).decode() == "\0bots\0secret"
    answer = sign_up(Client(), "ben", "ben@example.org")
    assert answer.status_code == 503 and "We couldn’t send the email" in answer.content.decode()
    with smtp_server.MailServer() as server:
        settings.EMAIL_PORT = server.port
        cache.clear()
        assert not is_in(sign_in("ben"))
    assert "To: ben@example.org" in server.messages[0]


def test_an_address_that_is_added_without_mail_is_not_said_to_have_got_one(alice: User) -> None:
    client = confirmed(signed_in(alice))
    page = client.post("/accounts/email/", {"action_add": "", "email": "alice@example.org"}, follow=True)
    assert "Added alice@example.org." in page.content.decode()
    assert EmailAddress.objects.filter(user=alice, email="alice@example.org").exists()


def test_mails_are_plain_sentences_with_the_address_of_the_house(alice: User, with_mail: None) -> None:
    EmailAddress.objects.create(user=alice, email="alice@example.org", primary=True, verified=True)
    for email in ("alice@example.org", "nobody@example.org"):
        Client().post("/accounts/password/reset/", {"email": email})
    sign_up(Client(), "anna", "anna@example.org")
    sign_up(Client(), "imposter", "alice@example.org")
    subjects = [message.subject.removeprefix("[Bot Factory] ") for message in mail.outbox]
    assert subjects == [
        "Set a new password",
        "No account with this address",
        "Confirm your email address",
        "You already have an account",
    ]
    for message in mail.outbox:
        body = str(message.body)
        assert body.endswith("-- \nBot Factory at testserver") and "&#" not in body and "\n\n\n" not in body, body
