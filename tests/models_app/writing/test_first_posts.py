"""Sharing lets a bot without sample posts write some: instant bots have no training that did."""

from __future__ import annotations

import re
import shutil

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils.html import escape

from botfactory.accounts.models import HouseRules, User
from models_app.bots import files
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.writing import first_posts
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.shared_bot import SAMPLE
from tests.rest.helpers import Program

pytestmark = pytest.mark.django_db(transaction=True)

OF_ITS_OWNER = "what it wrote for its owner"


@pytest.fixture
def mute(alice: User, bot: TrainedModel) -> TrainedModel:
    """A bot without sample posts, which has written for its owner."""
    TrainedModel.objects.filter(pk=bot.pk).update(history=[], kept_epoch=None)
    bot.refresh_from_db()
    Generation.objects.create(model=bot, owner=alice, posts=[OF_ITS_OWNER], seconds=1)
    return bot


def quotes(client: Client) -> list[str]:
    return re.findall(r'<p class="quote" dir="auto">(.*?)</p>', client.get("/gallery/").content.decode(), re.DOTALL)


def test_the_card_in_the_gallery_has_new_posts_once_it_is_shared(
    alice: User, bob: User, admin: User, mute: TrainedModel, settings: LazySettings
) -> None:
    settings.OPEN_GALLERY = True
    assert mute.samples == []
    answer = signed_in(alice).post(f"/models/{mute.pk}/share", {"visibility": "public"}, follow=True)
    assert answer.status_code == 200
    mute.refresh_from_db()
    written = mute.samples
    assert len(written) == 4 and all(post.strip() for post in written)
    shown = [escape(post) for post in sharing.samples_of(mute)]
    assert quotes(signed_in(alice)) == shown[:3] != []
    for guest in (signed_in(bob), signed_in(admin), Client()):
        page = guest.get(f"/gallery/{mute.pk}/").content.decode()
        assert quotes(guest) == shown[:3] and shown[0] in page and OF_ITS_OWNER not in page
    # They are nobody's posts, and another change writes no others.
    assert Generation.objects.count() == 1
    signed_in(alice).post(f"/models/{mute.pk}/share", {"visibility": "unlisted"})
    mute.refresh_from_db()
    assert mute.samples == written and mute.visibility == "unlisted"


def test_a_program_that_shares_gets_them_too(alice: User, bob: User, mute: TrainedModel) -> None:
    program = Program(alice)
    assert program.ask("PATCH", f"/models/{mute.pk}", {"name": "Still private"}).status_code == 200
    mute.refresh_from_db()
    assert mute.samples == []
    assert program.ask("PATCH", f"/models/{mute.pk}", {"visibility": "public"}).status_code == 200
    mute.refresh_from_db()
    assert Program(bob).get(f"/gallery/{mute.pk}").json()["samples"] == sharing.samples_of(mute) != []


def test_a_bot_with_samples_of_its_training_keeps_those(alice: User, bot: TrainedModel) -> None:
    signed_in(alice).post(f"/models/{bot.pk}/share", {"visibility": "public"})
    bot.refresh_from_db()
    assert bot.samples == [] and len(sharing.samples_of(bot)) == 1 and "a sample" in SAMPLE


def test_a_bot_that_cannot_write_is_shared_without_posts(
    alice: User, mute: TrainedModel, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(files.path_of(mute))
    answer = signed_in(alice).post(f"/models/{mute.pk}/share", {"visibility": "public"}, follow=True)
    mute.refresh_from_db()
    assert (answer.status_code, mute.visibility, mute.samples) == (200, "public", [])
    assert "has no sample posts" in caplog.text
    assert quotes(signed_in(alice)) == []


def test_phrases_banned_since_and_personal_data_stay_out(mute: TrainedModel) -> None:
    mute.samples = ["fine", "with a forbidden thing", "call +44 20 7946 0958"]
    HouseRules.objects.update_or_create(pk=HouseRules.THE_ROW, defaults={"banned_phrases": "forbidden thing"})
    assert sharing.samples_of(mute) == ["fine"]
    first_posts.write_missing(mute)
    assert len(mute.samples) == 3
