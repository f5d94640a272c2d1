"""Stops for a person and for the house, and what becomes of posts whose bot, account or corpus goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from botfactory.accounts import services as accounts
from botfactory.accounts.models import HouseRules, User
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from publishing.models import Account, FormerAccount, Proposal, Publication, Queue, Stop
from publishing.queue import connecting, filling, services, stopping
from publishing.sending import remains, sender
from tests.fakes.posting_servers import BlueskyPds, Mastodon
from tests.publishing.helpers import TEXTS, approve, due, make_due, send_all
from tweets.corpora import opt_out
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def stop_house(client: Client, *, stopped: bool) -> None:
    """Do it as the administrator does."""
    User.objects.filter(username="alice").update(is_superuser=True, is_staff=True)
    client.force_login(User.objects.get(username="alice"))
    data: dict[str, Any] = {"signup_mode": "", "public_sharing": "unknown", "open_gallery": "unknown"}
    answer = client.post("/admin/accounts/houserules/1/change/", data | ({"posting_stopped": "on"} if stopped else {}))
    assert answer.status_code == 302 and HouseRules.objects.get().posting_stopped is stopped


@pytest.mark.parametrize("who", ["person", "house"])
def test_a_stop_holds_everything_and_its_end_makes_nothing_up(
    who: str, model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds, client: Client
) -> None:
    assert model.owner is not None
    HouseRules.objects.get_or_create(pk=HouseRules.THE_ROW)
    services.change(model, {"proposals_a_day": 1})
    rows = [due(model, text) for text in TEXTS[:3]]
    if who == "person":
        stopping.stop_all(model.owner)
    else:
        stop_house(client, stopped=True)
    for minutes in (1, 300):
        for row in rows:
            make_due(row.proposal, minutes=minutes)
        assert send_all() == 0 and not filling.fill_next()
    assert set(Publication.objects.values_list("state", flat=True)) == {"waiting"}
    if who == "person":
        stopping.go_on_all(model.owner)
    else:
        stop_house(client, stopped=False)
    assert send_all() == 0 and pds.posts == []
    assert all(proposal.due and proposal.due > timezone.now() for proposal in Proposal.objects.filter(state="approved"))
    make_due(rows[0].proposal)
    send_all()
    assert len(pds.posts) == 1


def test_a_stop_between_claim_and_sending_is_heard(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    due(model)
    claimed = sender.claim_next()
    assert claimed is not None and model.owner is not None
    stopping.stop_all(model.owner)
    assert sender.attempt(claimed).state == "waiting" and pds.posts == []


def test_one_button_stops_all_bots_of_the_person(
    model: TrainedModel, queue: Queue, feed: Account, client: Client
) -> None:
    assert model.owner is not None
    client.force_login(model.owner)
    page = f"/models/{model.pk}/publish/"
    client.post(f"{page}stop-all", {"stop": "yes"})
    assert Stop.objects.get().owner == model.owner
    assert "Let all my bots post again" in client.get(page).content.decode()
    client.post(f"{page}stop-all", {"stop": "no"})
    assert not Stop.objects.exists()


def delete_bot(model: TrainedModel) -> None:
    registry.delete(model)


def delete_account(model: TrainedModel) -> None:
    assert model.owner is not None
    User.objects.create_superuser("root", password="x")
    accounts.delete_account(model.owner)


def opt_out_of(model: TrainedModel) -> None:
    Corpus.objects.update(network="bluesky", source="bluesky", handle="ada.example")
    opt_out.add(network="bluesky", handle="ada.example", by=User.objects.create_superuser("root", password="x"))


@pytest.mark.parametrize("goes", [delete_bot, delete_account, opt_out_of])
def test_posts_of_a_bot_that_goes_are_deleted_where_they_are(
    goes: Any, model: TrainedModel, queue: Queue, bluesky: Account, fediverse: Account, pds: BlueskyPds,
    mastodon: Mastodon,
) -> None:  # fmt: skip
    make_due(approve(model))
    send_all()
    # One more reaches Mastodon, and nobody hears of it.
    mastodon.faults = ["lost answer"]
    Account.objects.filter(pk=bluesky.pk).update(not_before=timezone.now() + timedelta(hours=1))
    make_due(approve(model, TEXTS[1]))
    sender.send_next()
    assert (len(pds.posts), len(mastodon.posts)) == (1, 2)
    goes(model)
    assert not TrainedModel.objects.filter(pk=model.pk).exists() and FormerAccount.objects.count() == 2
    pds.is_down = True
    while remains.clean_next():
        pass
    assert (len(pds.posts), mastodon.posts) == (1, [])
    left = FormerAccount.objects.get()
    assert left.error and left.addresses.startswith("https://bsky.app/")
    pds.is_down = False
    FormerAccount.objects.update(next_at=timezone.now())
    while remains.clean_next():
        pass
    assert pds.posts == [] and not FormerAccount.objects.exists()


def test_what_cannot_be_deleted_stays_listed_without_credentials(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    due(model)
    send_all()
    registry.delete(model)
    pds.is_logged_out = True
    assert remains.clean_next() and not remains.clean_next()
    left = FormerAccount.objects.get()
    assert (left.credentials, left.next_at, left.left, left.bot) == ("", None, 1, "Bot") and left.error


def test_a_disconnected_account_keeps_its_posts_when_the_bot_goes(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    due(model)
    send_all()
    connecting.disconnect(bluesky)
    registry.delete(model)
    assert len(pds.posts) == 1 and not FormerAccount.objects.exists()
