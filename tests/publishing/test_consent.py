"""An account is connected on the network's own page: for this person and this bot, by one use of one state."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from publishing.models import Account, App, Queue
from publishing.queue import consent
from publishing.rules import credentials
from tests.fakes.posting_servers import TOKEN, Mastodon
from tests.publishing.helpers import due, send_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def begin(owner: Client, model: TrainedModel, server: Mastodon, **more: str) -> str:
    """Return the address where the person allows it."""
    page = f"/models/{model.pk}/publish/connect/mastodon"
    answer = owner.post(page, {"server": server.url, "marks": "on", **more})
    assert answer.status_code == 200, answer.content.decode()
    address: str = answer["Refresh"].removeprefix("0; url=")
    assert "no-store" in answer["Cache-Control"]
    return address


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_entering_the_server_is_enough(owner: Client, model: TrainedModel, queue: Queue, mastodon: Mastodon) -> None:
    mastodon.is_marked = False
    address = begin(owner, model, mastodon)
    answer = owner.get(mastodon.consents.allow(address), follow=True)
    assert said(answer)[-1].endswith("is connected.")
    account = Account.objects.get()
    assert (account.state, account.server, mastodon.is_marked) == ("connected", mastodon.url, True)
    assert credentials.opened(account.credentials)["token"] == TOKEN
    due(model)
    send_all()
    assert len(mastodon.posts) == 1
    # Neither row shows a secret.
    rows = f"{Account.objects.values().get()} {App.objects.values().get()}"
    assert TOKEN not in rows and "secret-of-" not in rows
    # Reconnecting goes the same way, by the same application. The server is known.
    assert mastodon.url in owner.get(f"/models/{model.pk}/publish/connect/mastodon").content.decode()
    mastodon.is_logged_out = True
    due(model, "seven umbrellas walked into a quiet library")
    send_all()
    mastodon.is_logged_out = False
    account.refresh_from_db()
    assert account.state == "logged_out"
    owner.get(mastodon.consents.allow(begin(owner, model, mastodon)))
    account.refresh_from_db()
    assert account.state == "connected" and len(mastodon.consents.apps) == App.objects.count() == 1


def test_an_application_that_the_server_has_forgotten_is_made_anew(
    owner: Client, model: TrainedModel, mastodon: Mastodon
) -> None:
    begin(owner, model, mastodon)
    mastodon.consents.apps = {"client-of-others": {}}
    owner.get(mastodon.consents.allow(begin(owner, model, mastodon)))
    assert Account.objects.get().state == "connected" and App.objects.count() == 1


def test_a_state_is_good_for_one_use_one_person_one_place_and_a_quarter_of_an_hour(
    owner: Client, model: TrainedModel, mastodon: Mastodon, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = mastodon.consents.allow(begin(owner, model, mastodon))
    parts = urlsplit(back)
    code, state = (parse_qs(parts.query)[name][0] for name in ("code", "state"))
    stranger = Client()
    stranger.force_login(bob)
    elsewhere = "/accounts-of-bots/callback/other.example"
    assert Client().get(back)["Location"].startswith("/accounts/login/")
    for who, address in (
        (stranger, back),
        (owner, f"{parts.path}?code={code}&state=another"),
        (owner, f"{parts.path}?code={code}"),
        (owner, parts.path),
    ):
        answer = who.get(address, follow=True)
        assert said(answer) == ["This took too long, or was done already. Connect the account again."]
    assert not Account.objects.exists()
    # Another server got this state: it mustn't pass a code to us.
    assert said(owner.get(f"{elsewhere}?code={code}&state={state}", follow=True))[0].startswith("This took too long")
    assert said(owner.get(back, follow=True))[0].startswith("This took too long")
    late = mastodon.consents.allow(begin(owner, model, mastodon))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + consent.PATIENCE + 1)
    assert said(owner.get(late, follow=True))[0].startswith("This took too long")
    monkeypatch.undo()
    good = mastodon.consents.allow(begin(owner, model, mastodon))
    owner.get(good)
    assert Account.objects.get().state == "connected"
    assert said(owner.get(good, follow=True))[-1].startswith("This took too long")


def test_a_denied_consent_a_wrong_code_and_a_server_in_trouble_connect_nothing(
    owner: Client, model: TrainedModel, mastodon: Mastodon
) -> None:
    page = f"/models/{model.pk}/publish/connect/mastodon"
    place = urlsplit(mastodon.url).netloc
    for how, words in (
        ("error=access_denied", f"Nothing is connected, because you didn’t allow it on {place}."),
        ("code=wrong", "This took too long, or was done already. Connect the account again."),
        ("code=wrong&down=yes", "Mastodon is having problems (502)."),
    ):
        state = parse_qs(urlsplit(begin(owner, model, mastodon)).query)["state"][0]
        mastodon.is_down = "down" in how
        answer = owner.get(f"/accounts-of-bots/callback/{place}?{how}&state={state}", follow=True)
        mastodon.is_down = False
        assert answer.redirect_chain == [(page, 302)] and said(answer)[-1] == words
    assert not Account.objects.exists()


def test_a_bot_that_is_gone_or_a_stranger_s_connects_nothing(
    owner: Client, model: TrainedModel, mastodon: Mastodon, bob: User
) -> None:
    back = mastodon.consents.allow(begin(owner, model, mastodon))
    TrainedModel.objects.filter(pk=model.pk).update(owner=bob)
    assert owner.get(back).status_code == 404
    assert owner.post(f"/models/{model.pk}/publish/connect/mastodon", {"server": mastodon.url}).status_code == 404
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("", "This field is required."),
        ("ftp://example.social", "Enter the address of the server"),
        ("https://me:pass@example.social", "Enter the address of the server"),
        ("https://127.0.0.1", "private"),
        ("http://example.social", "HTTPS"),
    ],
)
def test_a_server_that_we_cant_ask_is_refused_beside_the_field(
    server: str, words: str, owner: Client, model: TrainedModel
) -> None:
    answer = owner.post(f"/models/{model.pk}/publish/connect/mastodon", {"server": server, "marks": "on"})
    assert answer.status_code == 400 and words in answer.content.decode() and not App.objects.exists()


def test_what_isnt_a_mastodon_server_says_so(owner: Client, model: TrainedModel, mastodon: Mastodon) -> None:
    mastodon.consents.register = lambda sent: mastodon.unknown()  # type: ignore[method-assign]
    page = f"/models/{model.pk}/publish/connect/mastodon"
    answer = owner.post(page, {"server": mastodon.url, "marks": "on"})
    assert answer.status_code == 400 and "The access token is invalid" in answer.content.decode()


def test_only_the_newest_few_that_were_begun_are_kept(owner: Client, model: TrainedModel, mastodon: Mastodon) -> None:
    begun = [begin(owner, model, mastodon) for _ in range(consent.MOST + 1)]
    assert said(owner.get(mastodon.consents.allow(begun[0]), follow=True))[0].startswith("This took too long")
    owner.get(mastodon.consents.allow(begun[1]))
    assert Account.objects.get().state == "connected"
