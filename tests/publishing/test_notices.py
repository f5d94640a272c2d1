"""Webhooks say what became of a post, in the same transaction, with its text and mark."""

from __future__ import annotations

import json
from typing import Any

import pytest

from botfactory.accounts import notifications
from botfactory.accounts.models import HouseRules, User
from botfactory.webhooks import delivery, services
from botfactory.webhooks.models import Delivery
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Publication, Queue
from publishing.queue import mails
from publishing.sending import notices, remains, sender
from tests import mailbox
from tests.fakes.posting_servers import BlueskyPds
from tests.publishing.helpers import TEXTS, due, make_due, send_all
from tests.webhooks.conftest import receiver as receiver
from tests.webhooks.helpers import deliver_all
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
EVENTS = ("post.published", "post.failed", "post.missed")


def _publish(row: Publication) -> None:
    send_all()


def _fail(row: Publication) -> None:
    HouseRules.objects.update_or_create(pk=HouseRules.THE_ROW, defaults={"banned_phrases": "kettle"})
    send_all()


def _miss(row: Publication) -> None:
    make_due(row.proposal, minutes=90)
    send_all()


@pytest.mark.parametrize("is_deleted", [False, True])
def test_one_mail_says_what_waits_or_what_is_left_of_a_deleted_bot(
    is_deleted: bool, alice: User, model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds, settings: Any
) -> None:
    mailbox.give_address(alice, settings)
    notifications.choose(alice, training_succeeded=True, training_failed=True, language="de", site="https://bots.test")
    row = due(model)
    if is_deleted:
        send_all()
        registry.delete(model)
    pds.is_logged_out = True
    remains.clean_next() if is_deleted else send_all()
    mails.send_due()
    mails.send_due()
    ((subject, text),) = mailbox.emptied()
    left, page = f"https://bsky.app/profile/bot.test/post/{row.key}", f"https://bots.test/models/{model.pk}/publish/"
    assert "Bot, Bluesky" in text and (left in text, page in text) == (is_deleted, not is_deleted)
    assert ("gelöschten Bots" if is_deleted else "warten") in subject


@pytest.mark.parametrize(
    ("happens", "event"), [(_publish, "post.published"), (_fail, "post.failed"), (_miss, "post.missed")]
)
def test_a_post_that_ends_is_told_once_to_its_owner(
    happens: Any,
    event: str,
    alice: User,
    bob: User,
    model: TrainedModel,
    queue: Queue,
    feed: Account,
    receiver: Receiver,
) -> None:
    for owner in (alice, bob):
        services.create(owner=owner, url=receiver.url, events=EVENTS)
    services.create(owner=alice, url=receiver.url, events=["job.succeeded"])
    row = due(model)
    happens(row)
    row.refresh_from_db()
    assert deliver_all() == 1
    told = json.loads(receiver.requests[0].body)
    assert told["type"] == event
    assert told["data"] == {
        "id": str(row.pk),
        "proposal": str(row.proposal_id),
        "model": str(model.pk),
        "bot": "Bot",
        "network": "feed",
        "text": f"AI, in the voice of Bot:\n{TEXTS[0]}",
        "ai_generated": True,
        "address": row.address or None,
        "error": row.error or None,
    }
    # Once it has arrived, its text isn't kept in the log of messages.
    assert Delivery.objects.get().data == {}


def test_state_and_message_are_committed_together(
    monkeypatch: pytest.MonkeyPatch, alice: User, model: TrainedModel, queue: Queue, feed: Account
) -> None:
    services.create(owner=alice, url="https://example.com/", events=EVENTS)
    row = due(model)

    def killed(publication: Publication) -> None:
        notices_note(publication)
        raise KeyboardInterrupt

    notices_note = notices.note
    monkeypatch.setattr(notices, "note", killed)
    with pytest.raises(KeyboardInterrupt):
        sender.send_next()
    row.refresh_from_db()
    assert row.state == "sending" and not Delivery.objects.exists()


def test_a_message_that_waits_is_the_same_at_each_try(
    alice: User, model: TrainedModel, queue: Queue, feed: Account
) -> None:
    services.create(owner=alice, url="https://example.com/", events=EVENTS)
    due(model)
    send_all()
    body = delivery.body_of(Delivery.objects.get())
    TrainedModel.objects.update(name="Renamed")
    assert delivery.body_of(Delivery.objects.get()) == body
