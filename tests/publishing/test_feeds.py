"""Feeds of what a bot has published: for everybody with the address, until it is renewed."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from django.test import Client

from botfactory.accounts.models import HouseRules, User
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Publication, Queue
from publishing.queue import connecting, services
from tests.publishing.helpers import TEXTS, due, send_all

pytestmark = pytest.mark.django_db(transaction=True)


def test_rss_atom_and_json_have_what_was_posted_marked_as_written_by_ai(
    model: TrainedModel, queue: Queue, feed: Account
) -> None:
    due(model, "soup & <b>spoons</b> sing at night")
    send_all()
    due(model, TEXTS[1])
    reader = Client()
    rss = ElementTree.fromstring(reader.get(f"/feeds/{feed.link}.rss").content)
    items = rss.findall("channel/item")
    assert [item.findtext("category") for item in items] == ["AI-generated"]
    assert "soup &amp; &lt;b&gt;spoons&lt;/b&gt;" in str(items[0].findtext("description"))
    assert items[0].findtext("guid") == f"urn:uuid:{Publication.objects.get(state='posted').pk}"
    atom = ElementTree.fromstring(reader.get(f"/feeds/{feed.link}.atom").content)
    assert len(atom.findall("{http://www.w3.org/2005/Atom}entry")) == 1
    answer = reader.get(f"/feeds/{feed.link}.json")
    assert answer["Content-Type"].startswith("application/feed+json")
    (entry,) = answer.json()["items"]
    assert entry["content_text"] == "AI, in the voice of Bot:\nsoup & <b>spoons</b> sing at night"
    assert entry["_botfactory"] == {"ai_generated": True, "model": "Bot"}


def test_a_renewed_closed_or_unknown_address_opens_nothing(model: TrainedModel, feed: Account, alice: User) -> None:
    old, reader = feed.link, Client()
    assert reader.get(f"/feeds/{old}.rss").status_code == 200
    new = connecting.renew_link(feed).link
    for kind in ("rss", "atom", "json"):
        assert reader.get(f"/feeds/{old}.{kind}").status_code == 404
        assert reader.get(f"/feeds/{new}.{kind}").status_code == 200
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert reader.get(f"/feeds/{new}.rss").status_code == 404
    User.objects.filter(pk=alice.pk).update(is_active=True)
    connecting.disconnect(feed)
    assert reader.get(f"/feeds/{new}.json").status_code == 404


def test_recalled_and_newly_banned_posts_leave_the_feed(model: TrainedModel, queue: Queue, feed: Account) -> None:
    rows = [due(model, text) for text in TEXTS[:3]]
    send_all()
    services.recall(rows[0].proposal)
    send_all()
    HouseRules.objects.update_or_create(pk=HouseRules.THE_ROW, defaults={"banned_phrases": "umbrellas"})
    items = Client().get(f"/feeds/{feed.link}.json").json()["items"]
    assert [TEXTS[2] in item["content_text"] for item in items] == [True]
