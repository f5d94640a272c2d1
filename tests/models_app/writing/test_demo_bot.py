"""The demo bot on the front page: who sees it, what it writes, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils.html import escape

from botfactory.accounts import rules
from botfactory.accounts.models import HouseRules, User
from models_app.bots import demo_posts, registry
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.writing import demo
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import untrained
from tests.models_app.shared_bot import SECRET
from tweets.models import AuditEntry, Corpus

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN = "/admin/models_app/trainedmodel/"


@pytest.fixture(autouse=True)
def nothing_written_yet() -> Iterator[None]:
    cache.delete("demo-bot:turn")
    yield
    cache.delete("demo-bot:turn")


@pytest.fixture
def demo_bot(bot: TrainedModel, admin: User, settings: LazySettings) -> TrainedModel:
    settings.OPEN_GALLERY = True
    demo.choose(sharing.share(bot, "public"), by=admin)
    return bot


def ask(client: Client) -> Any:
    return client.post("/demo", headers={"Accept": "application/json"})


def test_it_writes_for_visitors_one_post_at_a_time(demo_bot: TrainedModel, charlie: Client) -> None:
    page = charlie.get("/").content.decode()
    assert "writes here while you watch" in page and "js/demo" in page
    assert "a sample of the best epoch" in page and SECRET not in page
    told = ask(charlie).json()
    assert told["post"] and told["earlier"] == [told["post"], "a sample of the best epoch"]
    # The next visitor comes too soon and gets the same posts.
    assert ask(Client()).json() == {"post": None, "earlier": told["earlier"]}
    assert escape(told["post"]) in Client().get("/").content.decode()
    # Nobody finds it among their posts, its owner included.
    assert not Generation.objects.exists()


def test_it_works_without_javascript(demo_bot: TrainedModel, charlie: Client) -> None:
    answer = charlie.post("/demo")
    assert (answer.status_code, answer["Location"]) == (302, "/") and len(demo.posts_of(demo_bot)) == 2
    assert charlie.get("/demo").status_code == 405


def test_it_needs_the_token_of_the_form(demo_bot: TrainedModel) -> None:
    assert ask(Client(enforce_csrf_checks=True)).status_code == 403


def end(what: str, bot: TrainedModel, settings: LazySettings) -> None:
    """Do what ends its writing for visitors."""
    assert bot.owner is not None
    if what in ("private", "unlisted"):
        sharing.share(bot, what)
    elif what == "closed gallery":
        settings.OPEN_GALLERY = False
    elif what == "no gallery":
        settings.PUBLIC_SHARING = False
    elif what == "retired":
        registry.retire(bot)
    elif what == "no basis":
        Corpus.objects.update(basis="")
    else:
        User.objects.filter(pk=bot.owner.pk).update(is_active=False)


@pytest.mark.parametrize(
    "what", ["private", "unlisted", "closed gallery", "no gallery", "retired", "no basis", "owner inactive"]
)
def test_it_writes_only_while_visitors_may_see_it(
    demo_bot: TrainedModel, alice: User, bob: User, admin: User, settings: LazySettings, what: str
) -> None:
    end(what, demo_bot, settings)
    for client in (signed_in(alice), signed_in(bob), signed_in(admin), Client()):
        assert ask(client).status_code == 404
    page = Client().get("/").content.decode()
    assert "An example that we made up" in page and demo_bot.name not in page and "/demo" not in page


def test_it_does_not_come_back_when_its_owner_shares_it_again(demo_bot: TrainedModel) -> None:
    sharing.share(demo_bot, "private")
    sharing.share(demo_bot, "public")
    assert demo.demo_bot() is None


def test_posts_with_phrases_that_are_banned_since_are_not_shown(demo_bot: TrainedModel, charlie: Client) -> None:
    demo_posts.remember(demo_bot, ["the teapot sank", "hello"])
    assert demo.posts_of(demo_bot)[:2] == ["the teapot sank", "hello"]
    rules.row()
    HouseRules.objects.update(banned_phrases="teapot")
    assert demo.posts_of(demo_bot)[0] == "hello" and "teapot" not in charlie.get("/").content.decode()


def test_the_administrator_chooses_it(
    bot: TrainedModel, corpus: Corpus, base: TrainedModel, admin: User, alice: User, settings: LazySettings
) -> None:
    client, other = signed_in(admin), untrained(corpus, base)

    def act(action: str, *models: TrainedModel) -> str:
        body = {"action": action, "_selected_action": [str(model.pk) for model in models]}
        return client.post(ADMIN, body, follow=True).content.decode()

    assert "Only a bot in the gallery" in act("make_demo", bot)
    for model in (bot, other):
        sharing.share(model, "public")
    assert "Choose exactly one" in act("make_demo", bot, other) and demo.demo_bot() is None
    assert "once visitors can see the gallery" in act("make_demo", bot) and demo.demo_bot() is None
    settings.OPEN_GALLERY = True
    assert demo.demo_bot() == bot
    assert "writes on the front page now" in act("make_demo", other) and demo.demo_bot() == other
    act("end_demo", bot, other)
    assert demo.demo_bot() is None
    told = AuditEntry.objects.filter(action="share", who=admin).order_by("at", "pk")
    assert [(entry.subject_id, entry.details["on_front_page"]) for entry in told] == [
        (bot.pk, True),
        (other.pk, True),
        (other.pk, False),
    ]
    # Everybody else is kept out.
    assert signed_in(alice).post(ADMIN, {"action": "make_demo", "_selected_action": [str(bot.pk)]}).status_code == 403
