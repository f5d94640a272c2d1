from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from botfactory.accounts import rules
from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from tests.conftest import signed_in
from tests.models_app.shared_bot import SECRET
from tests.rest.helpers import Program, require_error
from tweets.models import AuditEntry, Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_the_gallery_is_searched_and_paged(alice: User, bob: User, bot: TrainedModel, corpus: Corpus) -> None:
    for number in range(30):
        TrainedModel.objects.create(
            owner=alice, corpus=corpus, name=f"Number {number:02}", directory=f"none/{number}", visibility="public"
        )
    client = signed_in(bob)
    first, second = (client.get(f"/gallery/?page={page}").content.decode() for page in (1, 2))
    assert "30 bots" in first and "1–24 of 30" in first and 'href="?page=2"' in first
    assert first.count("bot-card") == 24 and second.count("bot-card") == 6 and "Number 00" in second
    found = client.get("/gallery/?q=number+29").content.decode()
    assert "1 bot with" in found and "Number 29" in found
    assert "30 bots with" in client.get("/gallery/?q=@Town").content.decode()
    for words in ("nothing-of-the-kind", SECRET, "alice"):
        assert "name, account or tag matches" in client.get(f"/gallery/?q={words}").content.decode()
    assert "30 bots" in client.get("/gallery/?q=%00&page=many").content.decode()
    program = Program(bob)
    page = program.get("/gallery?limit=10").json()
    assert page["data"][0]["name"] == "Number 29" and page["has_more"] is True
    then = program.get(f"/gallery?limit=30&after={page['data'][-1]['id']}").json()
    assert len(then["data"]) == 20 and then["has_more"] is False
    assert [shown["name"] for shown in program.get("/gallery?q=number+07").json()["data"]] == ["Number 07"]
    require_error(program.get(f"/gallery?after={bot.pk}"), 422, "bad_value", "after")
    require_error(program.get("/gallery?query=x"), 422, "unknown_field", "query")
    require_error(program.get(f"/gallery/{uuid.uuid4()}"), 404, "not_found")


def test_an_empty_gallery_says_how_to_fill_it(bob: User) -> None:
    page = signed_in(bob).get("/gallery/").content.decode()
    assert "Nobody has shared a bot yet" in page and 'href="/gallery/" aria-current="page"' in page


def test_the_administrator_decides_on_the_gallery(alice: User, admin: User, settings: LazySettings) -> None:
    client = signed_in(admin)
    answer = client.get("/admin/accounts/houserules/", follow=True)
    page = answer.content.decode()
    assert answer.redirect_chain and "From the settings: yes" in page and "From the settings: no" in page
    path = answer.redirect_chain[-1][0]
    decided: dict[str, Any] = {"public_sharing": "true", "open_gallery": "true"}
    assert client.post(path, decided).status_code == 302
    settings.PUBLIC_SHARING = False
    assert (rules.house_rules().public_sharing, rules.house_rules().open_gallery) == (True, True)
    assert Client().get("/gallery/").status_code == 200 and "/gallery/" in Client().get("/").content.decode()
    client.post(path, {"public_sharing": "unknown", "open_gallery": "false"})
    assert (rules.house_rules().public_sharing, rules.house_rules().open_gallery) == (False, False)
    assert signed_in(alice).get(path).status_code == 403


def test_the_administrator_takes_a_bot_out_of_the_gallery(bob: User, admin: User, bot: TrainedModel) -> None:
    sharing.share(bot, "public")
    answer = signed_in(admin).post(
        "/admin/models_app/trainedmodel/", {"action": "make_private", "_selected_action": [str(bot.pk)]}, follow=True
    )
    assert "1 model is private now" in answer.content.decode()
    assert signed_in(bob).get(f"/gallery/{bot.pk}/").status_code == 404
    entry = AuditEntry.objects.filter(action="share")[0]
    assert (entry.who, entry.about, entry.subject_id) == (admin, bot.full_name, bot.pk)
    assert entry.details == {"before": "public", "after": "private"}
