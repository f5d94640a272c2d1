"""Who opens an address that only takes a form gets a page, not the browser's own."""

from __future__ import annotations

import pytest

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import bot as bot
from tests.models_app.conftest import corpus as corpus
from tests.rest.helpers import Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)

BROWSER = {"accept": "text/html,application/xhtml+xml"}


def test_a_browser_gets_a_page(alice: User, bot: TrainedModel) -> None:
    client = signed_in(alice)
    answer = client.get(f"/models/{bot.pk}/share", headers=BROWSER)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "Go back to the form" in answer.content.decode() and "alice" in answer.content.decode()
    german = client.get(f"/models/{bot.pk}/share", headers=BROWSER | {"accept-language": "de"})
    assert "Geh zurück zum Formular" in german.content.decode()


def test_others_get_what_they_got_before(alice: User, bot: TrainedModel) -> None:
    client = signed_in(alice)
    by_script = client.get(f"/models/{bot.pk}/share", headers={"accept": "application/json"})
    with_form = client.post(f"/models/{bot.pk}/", headers=BROWSER)
    assert [(answer.status_code, answer.content) for answer in (by_script, with_form)] == [(405, b"")] * 2
    require_error(Program(alice).ask("PUT", f"/models/{bot.pk}"), 405, "method_not_allowed")
