"""X: each post once, its price before, and a sentence for each refusal. The server answers as X's docs say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from models_app.bots.rows import TrainedModel
from publishing.models import Account, Publication, Queue
from publishing.networks.x import PRICE
from publishing.networks.x.lengths import has_link, weighted
from publishing.queue import services
from publishing.rules import credentials
from publishing.sending import sender
from tests.fakes.posting_servers import Fault
from tests.fakes.server import Answer
from tests.fakes.x_posting_server import WITHOUT_CREDITS, XServer, limited
from tests.publishing.helpers import TEXTS, again, due, make_due, propose, send_all

pytestmark = pytest.mark.django_db(transaction=True)


def settle() -> None:
    """Let so much time pass that X shows what it has."""
    Publication.objects.update(tried_at=timezone.now() - timedelta(minutes=5))
    again()


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("a" * 280, 280),
        ("日本語", 6),
        ("한국어", 6),
        ("Ünïcödé Жук שלום", 16),
        ("e\u0301", 1),
        ("“quotes” — ‘and’ dashes", 23),
        ("…", 2),
        ("😀", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("👩🏽‍🚀🙋🏿", 4),
        ("🇩🇪🇫🇷", 4),
        ("1️⃣ #️⃣", 5),
        ("❤️‍🔥 ☺️", 5),
        ("🏴󠁧󠁢󠁷󠁬󠁳󠁿", 2),
        ("https://example.org", 23),
        (f"https://example.org/{'a' * 300}?b=c#d", 23),
        ("see http://a.io, or example.com/x.", 4 + 23 + 5 + 23 + 1),
        ("i went home.then slept", 22),
        ("a@example.org and 3.14 and v1.2.com.", 36 + 23 - 8),
    ],
)
def test_a_post_is_as_long_as_x_counts_it(text: str, length: int) -> None:
    assert weighted(text) == length


def test_a_post_with_a_link_costs_more() -> None:
    assert [PRICE.of(text) for text in ("no link", "see https://example.org/a", "see example.com")] == [0.015, 0.2, 0.2]
    assert not has_link("me@example.org, 3.14, home.then")


def test_connecting_and_posting_with_x_s_own_mark(
    model: TrainedModel, queue: Queue, x_account: Account, x_server: XServer
) -> None:
    assert (x_account.handle, x_account.state, x_account.longest) == ("@a_bot", "connected", 280)
    row = due(model)
    send_all()
    row.refresh_from_db()
    (tweet,) = x_server.tweets.values()
    assert (row.state, row.address) == ("posted", f"https://x.com/a_bot/status/{row.remote_id}")
    assert tweet["sent"] == {"text": f"AI, in the voice of Bot:\n{TEXTS[0]}", "made_with_ai": True}
    services.recall(row.proposal)
    send_all()
    row.refresh_from_db()
    assert row.state == "recalled" and x_server.posts == []


def test_where_x_doesnt_take_its_mark_the_label_stays(
    model: TrainedModel, queue: Queue, x_account: Account, x_server: XServer
) -> None:
    x_server.takes_mark = False
    due(model)
    send_all()
    assert [tweet["sent"] for tweet in x_server.tweets.values()] == [{"text": f"AI, in the voice of Bot:\n{TEXTS[0]}"}]


@pytest.mark.parametrize("fault", ["lost answer", "accepted 502", "502", "cut"])
def test_after_an_unknown_outcome_it_looks_before_it_sends_again(
    fault: Fault, model: TrainedModel, queue: Queue, x_account: Account, x_server: XServer
) -> None:
    x_server.faults = [fault]
    row = due(model, "tea & <b>spoons</b> at https://example.org/kettle sing")
    send_all()
    again()
    # X may not show it yet, so nothing is decided in the first minute.
    send_all()
    row.refresh_from_db()
    accepted = fault in ("lost answer", "accepted 502")
    assert row.state == ("posted" if accepted else "unknown")
    settle()
    send_all()
    row.refresh_from_db()
    assert (row.state, row.error, len(x_server.posts)) == ("posted", "", 1)


def test_what_x_calls_a_duplicate_is_its_own_post_or_another_one(
    model: TrainedModel, queue: Queue, x_account: Account, x_server: XServer
) -> None:
    row = due(model)
    claimed = sender.claim_next()
    assert claimed is not None
    # It was accepted, and the sender that comes next doesn't know.
    sender.poster_of(claimed.account).publish(sender.outgoing(claimed))
    sender.attempt(claimed)
    row.refresh_from_db()
    assert row.state == "posted" and len(x_server.posts) == 1
    other = due(model, TEXTS[1])
    x_server.tweets["7"] = {
        "sent": {"text": f"AI, in the voice of Bot:\n{TEXTS[1]}"},
        "at": timezone.now() - timedelta(days=2),
    }
    send_all()
    other.refresh_from_db()
    assert other.state == "failed" and "posted the same already" in other.error


@pytest.mark.parametrize(
    ("refusal", "state", "words"),
    [
        (limited(600), "waiting", "asks us to wait until"),
        (
            Answer(429, {}, {"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": "86400"}),
            "waiting",
            "asks us to wait until",
        ),
        (Answer(402, WITHOUT_CREDITS), "waiting", "no credits left"),
        (Answer(403, {**WITHOUT_CREDITS, "status": 403}), "waiting", "no credits left"),
        (Answer(403, {"title": "Forbidden", "detail": "Your account is suspended."}), "failed", "account is suspended"),
        (Answer(400, {"errors": [{"message": "Your text is too long."}]}), "failed", "too long"),
        (Answer(503, {"title": "Service Unavailable"}), "unknown", "having problems"),
        (Answer(201, {"data": {}}), "unknown", "can’t be read"),
    ],
)
def test_each_refusal_has_its_sentence(
    refusal: Answer,
    state: str,
    words: str,
    model: TrainedModel,
    queue: Queue,
    x_account: Account,
    x_server: XServer,
) -> None:
    x_server.refusals = [refusal]
    row = due(model)
    send_all()
    row.refresh_from_db()
    x_account.refresh_from_db()
    assert (row.state, x_account.state, x_server.posts) == (state, "connected", []) and words in row.error
    assert (x_account.not_before is not None) == (state == "waiting")


def test_tokens_are_renewed_kept_and_only_a_clear_answer_logs_out(
    model: TrainedModel, queue: Queue, x_account: Account, x_server: XServer
) -> None:
    kept = credentials.opened(Account.objects.get().credentials)
    # Before its time is over, and when it isn't accepted any more.
    Account.objects.update(credentials=credentials.sealed({**kept, "until": "1"}))
    due(model)
    send_all()
    x_server.expire()
    due(model, TEXTS[1])
    send_all()
    assert x_server.consents.renewals == 2 and len(x_server.posts) == 2
    renewed = credentials.opened(Account.objects.get().credentials)
    assert (renewed["refresh"], renewed["access"]) == (x_server.consents.refresh, "access-1")
    x_server.expire()
    row = due(model, TEXTS[2])
    x_server.is_down = True
    send_all()
    x_account.refresh_from_db()
    assert x_account.state == "connected" and x_account.mail_due_at is None
    x_server.is_down, x_server.consents.is_revoked = False, True
    settle()
    send_all()
    x_account.refresh_from_db()
    assert (x_account.state, len(x_server.posts)) == ("logged_out", 2) and x_account.mail_due_at is not None
    row.refresh_from_db()
    assert row.state in ("waiting", "unknown")


def test_without_keys_nothing_is_offered_and_posts_wait(
    owner: Client, model: TrainedModel, queue: Queue, x_account: Account, x_server: XServer, settings: Any
) -> None:
    settings.X_CLIENT_ID = ""
    row = due(model)
    send_all()
    row.refresh_from_db()
    assert (row.state, x_server.posts) == ("waiting", []) and "removed the keys" in row.error
    assert owner.get(f"/models/{model.pk}/publish/connect/x").status_code == 404
    Account.objects.all().delete()
    assert "connect/x" not in owner.get(f"/models/{model.pk}/publish/").content.decode()


def test_without_the_promise_that_it_is_marked_nothing_is_connected(
    owner: Client, model: TrainedModel, x_server: XServer
) -> None:
    answer = owner.post(f"/models/{model.pk}/publish/connect/x", {})
    assert answer.status_code == 400 and "Refresh" not in answer and not Account.objects.exists()


def test_the_price_is_shown_before_it_is_approved(
    owner: Client, model: TrainedModel, queue: Queue, x_account: Account
) -> None:
    plain, linked = propose(model), propose(model, "read it at https://example.org/kettle")
    page = owner.get(f"/models/{model.pk}/publish/").content.decode()
    assert "X charges the operator $0.015 for this post. With a link, it would be $0.20." in page
    assert "X charges the operator $0.20 for this post, because it has a link." in page
    assert [owner.get(f"/api/v1/proposals/{row.pk}").json()["price"] for row in (plain, linked)] == [0.015, 0.2]
    assert services.approve(plain).state == "approved"
    Account.objects.update(network="feed")
    assert owner.get(f"/api/v1/proposals/{linked.pk}").json()["price"] is None


def test_what_is_too_late_to_be_sent_again_is_missed_after_a_look(
    model: TrainedModel, queue: Queue, x_account: Account, x_server: XServer
) -> None:
    x_server.faults = ["502"]
    row = due(model)
    send_all()
    make_due(row.proposal, minutes=200)
    settle()
    send_all()
    row.refresh_from_db()
    assert (row.state, x_server.posts) == ("missed", []) and "can’t find it" in row.error
