"""Our networks against servers that others wrote, with faults on the line. They run where `make real` was run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from models_app.bots.rows import TrainedModel
from publishing.models import Account, Publication, Queue
from publishing.queue import connecting, services
from publishing.rules import credentials, errors
from publishing.sending import sender
from tests.fakes.faulty_line import FaultyLine, LineFault
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.publishing.conftest import model as model
from tests.publishing.conftest import queue as queue
from tests.publishing.helpers import TEXTS, again, due, send_all
from tests.real import servers

pytestmark = pytest.mark.django_db(transaction=True)
FAULTS: list[LineFault] = ["cut", "502", "lost answer", "accepted 502", "429"]


@pytest.fixture(scope="module", params=["bluesky", "mastodon"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Place]:
    if reason := servers.missing(request.param):
        pytest.skip(reason)
    with {"bluesky": servers.bluesky, "mastodon": servers.mastodon}[request.param](tmp_path_factory.mktemp("r")) as it:
        yield it


@pytest.fixture
def line(place: servers.Place, settings: Any) -> Iterator[FaultyLine]:
    with FaultyLine(place.url) as line:
        settings.PRIVATE_SERVERS = [line.url]
        yield line


@pytest.fixture
def account(place: servers.Place, line: FaultyLine, model: TrainedModel, queue: Queue) -> Account:
    """The bot's account, marked as a bot."""
    network = "mastodon" if "token" in place.entered else "bluesky"
    return connecting.connect(model, network, {**place.entered, "server": line.url})


def test_a_post_appears_once_whatever_the_line_does_and_can_be_recalled(
    model: TrainedModel, account: Account, place: servers.Place, line: FaultyLine
) -> None:
    assert account.state == "connected" and sender.poster_of(account).is_marked()
    before = place.posts()
    rows = []
    for fault, text in zip(["", *FAULTS], TEXTS, strict=True):
        line.faults = [fault] if fault else []  # type: ignore[list-item]
        rows.append(due(model, text))
        send_all()
        again()
        Account.objects.update(not_before=None)
        send_all()
    assert [row.state for row in Publication.objects.order_by("created_at")] == ["posted"] * len(rows)
    assert line.came.total() == len(FAULTS)
    texts = [f"AI, in the voice of Bot:\n{text}" for text in TEXTS]
    assert sorted(place.posts()) == sorted([*before, *texts])
    # The network knows each by what we keep of it.
    for row in Publication.objects.all():
        assert sender.poster_of(account).find(sender.outgoing(row)) is not None
        services.recall(row.proposal)
    send_all()
    assert place.posts() == before
    assert set(Publication.objects.values_list("state", flat=True)) == {"recalled"}
    row = Publication.objects.all()[0]
    assert sender.poster_of(account).find(sender.outgoing(row)) is None
    # What is gone already counts as deleted.
    sender.poster_of(account).delete(row.remote_id)


def test_wrong_credentials_are_told_and_disconnect_nothing(
    model: TrainedModel, account: Account, place: servers.Place, line: FaultyLine
) -> None:
    secret = "password" if account.network == "bluesky" else "token"
    with pytest.raises(errors.NotConnected, match=r"Check both|Copy it again"):
        connecting.connect(model, account.network, {**place.entered, "server": line.url, secret: "wrong"})
    assert Account.objects.get().state == "connected"


@pytest.mark.parametrize("place", ["bluesky"], indirect=True)
def test_a_session_that_is_used_up_is_renewed(
    model: TrainedModel, account: Account, place: servers.Place, line: FaultyLine
) -> None:
    kept = credentials.opened(account.credentials)
    Account.objects.update(credentials=credentials.sealed({**kept, "access": "used up"}))
    due(model)
    send_all()
    assert Publication.objects.get().state == "posted"
    services.recall_all(model)
    send_all()
    assert Publication.objects.get().state == "recalled"
