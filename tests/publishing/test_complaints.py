"""What people complain about most in open schedulers of posts, and the test of ours for each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from django.utils import timezone

from botfactory.broker import doorbell
from models_app.bots.rows import TrainedModel
from publishing.models import Account, Publication, Queue
from publishing.queue import connecting, services
from publishing.sending import sender
from tests.fakes.posting_servers import PASSWORD, BlueskyPds, Mastodon, PostingServer
from tests.fakes.server import Answer
from tests.publishing.helpers import again, due, make_due, send_all

pytestmark = pytest.mark.django_db(transaction=True)

#: Their issue or pull request, what it is about, and our test.
COMPLAINTS: Final = (
    (
        "Postiz 1813",
        "A try that timed out after the network had accepted the post is repeated.",
        "test_sending.py::test_without_an_answer_the_network_is_asked_and_the_post_appears_once",
    ),
    (
        "Postiz 1681",
        "A post that is there counts as failed, and sending it again makes a second one.",
        "test_complaints.py::test_sending_again_what_arrived_late_makes_no_second_post",
    ),
    (
        "Postiz 1321",
        "An error of the scheduler itself after the post is out makes it post again and again.",
        "test_complaints.py::test_an_error_of_ours_after_the_network_accepted_it_makes_no_second_post",
    ),
    (
        "Postiz 1259",
        "Workers die, and posts stay away or disappear.",
        "test_exactly_once.py::test_each_post_appears_at_most_once_and_none_is_lost_unseen",
    ),
    (
        "Postiz 1259",
        "The broker is away, and nothing is sent any more.",
        "test_complaints.py::test_a_broker_that_is_away_loses_nothing",
    ),
    (
        "Postiz 1296",
        "It says “done”, and nothing is there.",
        "test_complaints.py::test_an_answer_that_does_not_say_so_is_no_success",
    ),
    (
        "Postiz 1884",
        "Connecting again loses the token that renews the session.",
        "test_complaints.py::test_connecting_again_keeps_what_renews_the_session",
    ),
    (
        "Postiz 1822",
        "A hiccup while a session is renewed disconnects the account.",
        "test_complaints.py::test_a_hiccup_while_a_session_is_renewed_disconnects_nothing",
    ),
    (
        "Postiz 1678",
        "One failure sends two mails.",
        "test_sending.py::test_only_invalid_credentials_disconnect_and_what_waits_waits",
    ),
    (
        "Postiz 1145",
        "Summer time moves posts by an hour.",
        "test_wall_times.py::test_nine_oclock_is_nine_oclock_in_summer_and_winter",
    ),
    (
        "Postiz 1840",
        "After an outage, everything goes out in a burst.",
        "test_sending.py::test_what_is_over_an_hour_late_is_missed_and_not_made_up",
    ),
    (
        "Mixpost 200",
        "A time of one's own is refused or ignored.",
        "test_deciding.py::test_a_time_of_your_own_stays_when_others_move",
    ),
    (
        "Postiz 1213",
        "What is deleted or moved still goes out at its old time.",
        "test_deciding.py::test_taking_one_out_moves_the_rest_up",
    ),
)


@pytest.mark.parametrize("test", [test for _, _, test in COMPLAINTS])
def test_each_complaint_names_a_test_that_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name}(" in Path(__file__).with_name(file).read_text(encoding="utf-8")


def test_sending_again_what_arrived_late_makes_no_second_post(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon
) -> None:
    mastodon.faults = ["cut"]
    row = due(model)
    sender.send_next()
    make_due(row.proposal, minutes=200)
    Publication.objects.update(tried_at=timezone.now() - timedelta(minutes=190))
    again()
    send_all()
    row.refresh_from_db()
    assert (row.state, mastodon.posts) == ("missed", [])
    # The first try was on its way all the time, and the server has forgotten its key.
    sender.poster_of(fediverse).publish(sender.outgoing(row))
    mastodon.forget_keys()
    services.send_again(row)
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(mastodon.posts) == 1


def test_an_error_of_ours_after_the_network_accepted_it_makes_no_second_post(
    model: TrainedModel, queue: Queue, fediverse: Account, mastodon: Mastodon, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = due(model)
    with monkeypatch.context() as patch:
        patch.setattr(sender, "_posted", lambda published: 1 / 0)
        for _ in range(3):
            send_all()
            again()
        row.refresh_from_db()
        assert row.state == "unknown" and row.error and len(mastodon.posts) == 1
    again()
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(mastodon.posts) == 1


def test_a_broker_that_is_away_loses_nothing(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = due(model)
    rings = []

    def away(task: str, **others: Any) -> None:
        rings.append(task)
        raise ConnectionError("no broker")

    with monkeypatch.context() as patch:
        patch.setattr(doorbell, "ring", away)
        sender.look()
        assert rings == [sender.SEND]
        row.refresh_from_db()
        assert row.state == "waiting"
        send_all()
        services.recall(row.proposal)
        assert len(rings) == 2
    send_all()
    row.refresh_from_db()
    assert (row.state, pds.posts) == ("recalled", [])


@pytest.mark.parametrize("body", [{}, [], "<html>Welcome to our wireless network</html>"])
@pytest.mark.parametrize("network", ["bluesky", "mastodon"])
def test_an_answer_that_does_not_say_so_is_no_success(
    network: str, body: object, request: pytest.FixtureRequest, model: TrainedModel, queue: Queue
) -> None:
    server: PostingServer = request.getfixturevalue("pds" if network == "bluesky" else "mastodon")
    request.getfixturevalue("bluesky" if network == "bluesky" else "fediverse")
    row = due(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "publishing", lambda accept: Answer(200, body))
        sender.send_next()
    row.refresh_from_db()
    assert row.state == "unknown" and "can’t be read" in row.error
    again()
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and len(server.posts) == 1


def test_connecting_again_keeps_what_renews_the_session(
    model: TrainedModel, queue: Queue, bluesky: Account, pds: BlueskyPds
) -> None:
    entered = {"identifier": "bot.test", "password": PASSWORD, "server": pds.url}
    for _ in range(2):
        connecting.connect(model, "bluesky", entered)
    logins = pds.logins
    pds.expire()
    row = due(model)
    send_all()
    row.refresh_from_db()
    assert row.state == "posted" and pds.logins == logins


HICCUPS: Final = [Answer(502, "Bad gateway"), Answer(429, {}, {"Retry-After": "5"}), Answer(200, "")]


@pytest.mark.parametrize("answer", HICCUPS)
def test_a_hiccup_while_a_session_is_renewed_disconnects_nothing(
    answer: Answer,
    model: TrainedModel,
    queue: Queue,
    bluesky: Account,
    pds: BlueskyPds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pds.expire()
    row = due(model)
    with monkeypatch.context() as patch:
        patch.setattr(pds, "_session", lambda: answer)
        send_all()
    bluesky.refresh_from_db()
    row.refresh_from_db()
    assert (bluesky.state, bluesky.mail_due_at, row.state) == ("connected", None, "waiting")
    Account.objects.update(not_before=None)
    again()
    send_all()
    row.refresh_from_db()
    assert row.state == "posted"
