"""What other sites show of a shared page, and the way from there to a bot of one's own."""

from __future__ import annotations

import re

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.html import escape

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.gallery.previews import LONGEST_POST
from models_app.sharing import rights as sharing
from tests.conftest import signed_in
from tests.models_app.shared_bot import SECRET, place_of

pytestmark = pytest.mark.django_db(transaction=True)


def tags_of(page: str) -> dict[str, str]:
    return dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):[\w:]+)" content="([^"]*)">', page))


@pytest.mark.parametrize(
    ("visibility", "by_link", "is_open", "is_shown"),
    [
        ("public", False, True, True),
        ("public", False, False, False),
        ("unlisted", True, False, True),
        ("private", False, True, False),
    ],
)
def test_only_pages_that_visitors_may_see_have_a_preview(
    alice: User,
    bob: User,
    admin: User,
    bot: TrainedModel,
    settings: LazySettings,
    visibility: str,
    by_link: bool,
    is_open: bool,
    is_shown: bool,
) -> None:
    settings.OPEN_GALLERY = is_open
    sharing.share(bot, visibility)
    for client in (signed_in(alice), signed_in(bob), signed_in(admin), Client()):
        page = client.get(f"{place_of(bot, by_link=by_link)}/").content.decode()
        assert ("og:title" in tags_of(page)) is is_shown
        assert ("og:" in page) is is_shown


def test_a_preview_has_name_label_a_post_and_a_picture(bot: TrainedModel, settings: LazySettings) -> None:
    settings.OPEN_GALLERY = True
    sharing.share(bot, "public")
    page = Client().get(f"/gallery/{bot.pk}/").content.decode()
    told = tags_of(page)
    label = "AI parody of @town.example, not by @town.example."
    assert told["og:title"] == told["twitter:title"] == "Crier" and SECRET not in page
    assert told["og:description"] == f"{label} “a sample of the best epoch”" == told["twitter:description"]
    assert told["og:url"] == f"http://testserver/gallery/{bot.pk}/"
    assert told["og:image"].startswith(f"http://testserver/gallery/{bot.pk}/preview.png?v=")
    assert told["og:image"] == told["twitter:image"] and SECRET not in told["og:image:alt"]
    assert told["og:image:alt"] == f"Crier. {label} “a sample of the best epoch”"
    assert told["twitter:card"] == "summary_large_image"
    # A name with markup stays text, and a long post is cut.
    bot.name, bot.history = '"><b>', [{"epoch": 1, "samples": ["word " * 100]}]
    bot.save()
    told = tags_of(Client().get(f"/gallery/{bot.pk}/").content.decode())
    assert told["og:title"] == escape('"><b>')
    assert told["og:description"].endswith("word…”") and len(told["og:description"]) < LONGEST_POST + len(label) + 10


def test_a_shared_page_leads_to_a_bot_of_ones_own(
    alice: User, bob: User, bot: TrainedModel, settings: LazySettings
) -> None:
    sharing.share(bot, "unlisted")
    place = f"/shared/{bot.link}/"
    assert 'href="/accounts/signup/?next=/corpora/new">Make your own<' in Client().get(place).content.decode()
    assert 'href="/corpora/new">Make your own<' in signed_in(bob).get(place).content.decode()
    assert "Make your own" not in signed_in(alice).get(place).content.decode()
    settings.SIGNUP_MODE = "closed"
    User.objects.create_superuser("first-of-gallery", password="x")
    assert "Make your own" not in Client().get(place).content.decode()
