"""API tokens: shown once, stored as a digest, and visible only to their owner."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken, User
from tests.conftest import confirmed, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = re.compile(r"bf_[0-9a-f]{12}_[0-9a-f]{64}")


def test_a_token_is_its_owners_and_no_other_text_is(alice: User, bob: User) -> None:
    new, other = (tokens.create_token(owner=owner, name="script") for owner in (alice, bob))
    assert TOKEN.fullmatch(new.text)
    assert tokens.user_of_token(new.text) == alice and tokens.user_of_token(other.text) == bob
    secret = other.text.rpartition("_")[2]
    strangers = [new.text[:-1], f"{new.text}0", new.text.upper(), f"bf_{new.token.prefix}_{secret}", "", "bf", "bf__"]
    strangers += [f"bf_{new.token.prefix}_", f"bf_{new.token.prefix}_{new.token.digest}", "x" + new.text, "bf_\0_é"]
    for text in strangers:
        assert tokens.user_of_token(text) is None, text


def test_what_is_stored_opens_nothing(alice: User) -> None:
    new = tokens.create_token(owner=alice, name="script")
    secret = new.text.rpartition("_")[2]
    stored = ApiToken.objects.values_list().get()
    assert not any(secret in str(value) or new.text in str(value) for value in stored)
    assert new.text not in repr(new)


def test_with_another_secret_key_no_token_works(alice: User, settings: object) -> None:
    new = tokens.create_token(owner=alice, name="script")
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]
    assert tokens.user_of_token(new.text) is None


def test_expired_revoked_and_deactivated_give_nobody(alice: User) -> None:
    expired, revoked, lasting = (tokens.create_token(owner=alice, name=name) for name in ("a", "b", "c"))
    ApiToken.objects.filter(pk=expired.token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    tokens.revoke_token(revoked.token)
    assert [tokens.user_of_token(new.text) for new in (expired, revoked, lasting)] == [None, None, alice]
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert tokens.user_of_token(lasting.text) is None


def test_the_last_use_is_written_once_a_minute_and_by_the_right_secret_only(alice: User) -> None:
    new = tokens.create_token(owner=alice, name="script")
    tokens.user_of_token(new.text[:-2] + "xx")
    new.token.refresh_from_db()
    assert new.token.last_used_at is None
    tokens.user_of_token(new.text)
    new.token.refresh_from_db()
    first = new.token.last_used_at
    assert first is not None
    tokens.user_of_token(new.text)
    new.token.refresh_from_db()
    assert new.token.last_used_at == first
    earlier = first - timedelta(minutes=2)
    ApiToken.objects.update(last_used_at=earlier)
    tokens.user_of_token(new.text)
    new.token.refresh_from_db()
    assert new.token.last_used_at is not None and new.token.last_used_at >= first


def test_a_token_needs_a_name_and_a_time_to_come(alice: User) -> None:
    for name in ("", "   ", "n" * 81):
        with pytest.raises(tokens.TokenError, match="name"):
            tokens.create_token(owner=alice, name=name)
    with pytest.raises(tokens.TokenError, match="future"):
        tokens.create_token(owner=alice, name="late", expires_at=timezone.now())
    assert not ApiToken.objects.exists()


def test_there_is_a_most_and_revoking_makes_room(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    first = tokens.create_token(owner=alice, name="first").token
    tokens.create_token(owner=alice, name="second")
    with pytest.raises(tokens.TokenError, match="Revoke one"):
        tokens.create_token(owner=alice, name="third")
    tokens.revoke_token(first)
    assert tokens.create_token(owner=alice, name="third").token.pk


@pytest.mark.parametrize(
    ("header", "works"),
    [
        ("Bearer {}", True),
        ("bearer  {} ", True),
        ("{}", False),
        ("Basic {}", False),
        ("Bearer", False),
        ("Bearer {} more", False),
        ("", False),
    ],
)
def test_the_header_is_a_bearers(alice: User, header: str, works: bool) -> None:
    text = tokens.create_token(owner=alice, name="script").text
    assert (tokens.token_of_header(header.format(text)) is not None) is works


def test_the_page_shows_a_new_token_once(alice: User) -> None:
    client = confirmed(signed_in(alice))
    page = client.post("/tokens/", {"name": "Nightly run", "days": "30"})
    found = TOKEN.findall(page.content.decode())
    assert page.status_code == 200 and len(found) == 1 and "no-store" in page["Cache-Control"]
    assert tokens.user_of_token(found[0]) == alice
    token = ApiToken.objects.get()
    assert token.expires_at is not None
    assert timedelta(days=29, hours=23) < token.expires_at - timezone.now() <= timedelta(days=30)
    again = client.get("/tokens/").content.decode()
    assert "Nightly run" in again and token.prefix in again and not TOKEN.search(again)


@pytest.mark.parametrize("sent", [{"name": ""}, {"name": "n" * 81}, {"name": "x", "days": "2"}])
def test_the_page_says_what_is_wrong_and_makes_nothing(alice: User, sent: dict[str, str]) -> None:
    page = confirmed(signed_in(alice)).post("/tokens/", sent)
    assert page.status_code == 400 and "data-form-errors" in page.content.decode()
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("may", "scopes"), [("", ["read", "write"]), ("read", ["read"]), ("read write", ["read", "write"])]
)
def test_the_page_asks_what_the_token_may(alice: User, may: str, scopes: list[str]) -> None:
    page = confirmed(signed_in(alice)).post("/tokens/", {"name": "Nightly run", "may": may})
    assert page.status_code == 200 and ApiToken.objects.get().scopes == scopes
    assert f"· {', '.join(scopes)} ·" in page.content.decode()


def test_only_administrators_make_tokens_for_administrators(alice: User, admin: User) -> None:
    sent = {"name": "Nightly run", "may": "read write admin"}
    assert "read write admin" not in signed_in(alice).get("/tokens/").content.decode()
    assert confirmed(signed_in(alice)).post("/tokens/", sent).status_code == 400
    with pytest.raises(tokens.TokenError, match="administrator"):
        tokens.create_token(owner=alice, name="x", scopes=["admin"])
    assert confirmed(signed_in(admin)).post("/tokens/", sent).status_code == 200
    token = ApiToken.objects.get()
    assert tokens.scopes_of(token) == {"read", "write", "admin"}
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    token.refresh_from_db()
    assert tokens.scopes_of(token) == {"read", "write"}


@pytest.mark.parametrize("scopes", [[], ["all"], ["read", "all"]])
def test_a_token_needs_scopes_that_there_are(alice: User, scopes: list[str]) -> None:
    with pytest.raises(tokens.TokenError, match="Choose what the token can do"):
        tokens.create_token(owner=alice, name="x", scopes=scopes)


def test_a_token_makes_none_that_may_more(alice: User) -> None:
    writer = tokens.create_token(owner=alice, name="writer", scopes=["write"]).token
    with pytest.raises(tokens.TokenError, match="more scopes than its own"):
        tokens.create_token(owner=alice, name="x", scopes=["read", "write"], by=writer)


def test_a_token_makes_none_that_lives_longer(alice: User) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    short = tokens.create_token(owner=alice, name="short", expires_at=tomorrow).token
    assert tokens.create_token(owner=alice, name="as long", by=short).token.expires_at == tomorrow
    earlier = tomorrow - timedelta(hours=1)
    assert tokens.create_token(owner=alice, name="shorter", expires_at=earlier, by=short).token.expires_at == earlier
    with pytest.raises(tokens.TokenError, match="expires later than itself") as refusal:
        tokens.create_token(owner=alice, name="longer", expires_at=tomorrow + timedelta(seconds=1), by=short)
    assert refusal.value.param == "expires_at"
    lasting = tokens.create_token(owner=alice, name="lasting").token
    assert tokens.create_token(owner=alice, name="for ever", by=lasting).token.expires_at is None


def test_a_date_that_no_clock_can_show_is_refused(alice: User) -> None:
    last = datetime.fromisoformat("9999-12-31T23:59:59-12:00")
    with pytest.raises(tokens.TokenError, match="too far in the future") as refusal:
        tokens.create_token(owner=alice, name="x", expires_at=last)
    assert refusal.value.param == "expires_at"
    with pytest.raises(tokens.TokenError, match="must expire in the future"):
        tokens.create_token(owner=alice, name="x", expires_at=datetime.fromisoformat("0001-01-01T00:00:00+12:00"))


def test_the_owner_revokes_and_it_is_gone_from_the_page(alice: User) -> None:
    new = tokens.create_token(owner=alice, name="Nightly run")
    page = signed_in(alice).post(f"/tokens/{new.token.pk}/revoke", follow=True).content.decode()
    assert "Revoked “Nightly run”" in page and new.token.prefix not in page
    assert tokens.user_of_token(new.text) is None


def test_a_stranger_neither_sees_nor_revokes(alice: User, bob: User, admin: User) -> None:
    new = tokens.create_token(owner=alice, name="Nightly run")
    for person in (bob, admin):
        client = signed_in(person)
        assert "Nightly run" not in client.get("/tokens/").content.decode()
        assert client.post(f"/tokens/{new.token.pk}/revoke").status_code == 404
    assert tokens.user_of_token(new.text) == alice


def test_nobody_is_asked_to_sign_in(charlie: Client) -> None:
    for answer in (charlie.get("/tokens/"), charlie.post("/tokens/", {"name": "x"})):
        assert answer.status_code == 302 and "login" in answer["Location"]
    assert not ApiToken.objects.exists()


def test_a_token_is_no_session(alice: User, charlie: Client) -> None:
    text = tokens.create_token(owner=alice, name="script").text
    for path in ("/tokens/", "/corpora/", "/admin/"):
        assert charlie.get(path, headers={"Authorization": f"Bearer {text}"}).status_code == 302


def test_the_administrator_finds_tokens_and_revokes_them_without_seeing_what_opens(alice: User, admin: User) -> None:
    new = tokens.create_token(owner=alice, name="Nightly run")
    desk = signed_in(admin)
    pages = [
        desk.get("/admin/accounts/apitoken/?q=alice"),
        desk.get(f"/admin/accounts/apitoken/{new.token.pk}/change/"),
    ]
    for page in pages:
        assert page.status_code == 200 and "Nightly run" in page.content.decode()
        assert new.token.digest not in page.content.decode()
    assert desk.get("/admin/accounts/apitoken/add/").status_code == 403
    data = {"action": "revoke", "_selected_action": [str(new.token.pk)]}
    assert "” of alice." in desk.post("/admin/accounts/apitoken/", data, follow=True).content.decode()
    assert tokens.user_of_token(new.text) is None


def test_the_list_of_the_administration_is_the_administrators(alice: User, charlie: Client) -> None:
    assert signed_in(alice).get("/admin/accounts/apitoken/").status_code == 403
    assert charlie.get("/admin/accounts/apitoken/").status_code == 302


def test_tokens_go_with_the_account(alice: User) -> None:
    from botfactory.accounts.services import delete_account

    tokens.create_token(owner=alice, name="Nightly run")
    delete_account(alice)
    assert not ApiToken.objects.exists()


def test_the_operator_makes_one_at_the_terminal(alice: User, admin: User) -> None:
    def made(*arguments: str) -> ApiToken:
        out = io.StringIO()
        call_command("token", "A script", *arguments, stdout=out, stderr=io.StringIO())
        token = tokens.find_token(out.getvalue().strip())
        assert token is not None
        return token

    usual, chosen = made(), made("--owner", "alice", "--scope", "read", "--days", "2")
    assert (usual.owner, usual.scopes, usual.expires_at, usual.name) == (admin, ["read", "write"], None, "A script")
    assert (chosen.owner, chosen.scopes) == (alice, ["read"])
    assert chosen.expires_at is not None and timedelta(days=1) < chosen.expires_at - timezone.now() < timedelta(days=3)
    for wrong, sentence in (
        (["--owner", "nobody"], "no account named"),
        (["--owner", "alice", "--scope", "admin"], "Only an administrator"),
        (["--days", "0"], "expire in the future"),
        (["--days", "999999999"], "too many"),
    ):
        with pytest.raises(CommandError, match=sentence):
            made(*wrong)
