"""Whoever sends a form after the end of their session comes back to the page with the form, not to its address."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from tests.conftest import PASSWORD, signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import bot as bot
from tests.models_app.conftest import corpus as corpus

pytestmark = pytest.mark.django_db(transaction=True)


def next_of(answer: Any) -> str:
    assert answer.status_code == 302
    target: str = answer.headers["Location"]
    return parse_qs(urlsplit(target).query)["next"][0]


def test_signing_in_leads_back_to_the_form(alice: User, bot: TrainedModel) -> None:
    client = Client()
    came_from = {"referer": f"http://testserver/models/{bot.pk}/?a=b"}
    # A view that is async and one that isn't.
    for address in (f"/models/{bot.pk}/generate", f"/models/{bot.pk}/share"):
        assert next_of(client.post(address, headers=came_from)) == f"/models/{bot.pk}/?a=b"
    sign_in = client.post(f"/models/{bot.pk}/share", headers=came_from).headers["Location"]
    answer = client.post(sign_in, {"login": alice.username, "password": PASSWORD})
    assert answer.headers["Location"] == f"/models/{bot.pk}/?a=b"


def test_other_pages_are_not_led_to_and_links_lead_where_they_did(bot: TrainedModel) -> None:
    client, address = Client(), f"/models/{bot.pk}/share"
    for referer in ("", "http://evil.example/models/", "javascript:alert(1)", "http://testserver:81/"):
        assert next_of(client.post(address, headers={"referer": referer})) == address
    page = f"/models/{bot.pk}/"
    assert next_of(client.get(page, headers={"referer": "http://testserver/models/"})) == page


def test_those_who_are_signed_in_go_on_to_where_the_form_leads(alice: User) -> None:
    came_from = {"referer": "http://testserver/models/"}
    client = signed_in(alice)
    asked = {"action_add": "", "email": "alice@example.org"}
    assert next_of(client.post("/accounts/email/", asked, headers=came_from)) == "/accounts/email/"
    answer = client.post("/accounts/logout/", headers=came_from)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
