"""A bot fills its queue by itself: once a day, whoever asks and whatever dies."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import processes
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.writing import asking
from models_app.writing.admission import WriterMissing
from models_app.writing.rows import Generation
from publishing.models import Proposal, Queue
from publishing.queue import filling, services
from publishing.rules import errors
from tests.publishing.helpers import TEXTS, propose

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(model: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> list[SamplingConfig]:
    """What the bot was asked for. It writes TEXTS."""
    found: list[SamplingConfig] = []

    def wrote(*, sampling: SamplingConfig, **_others: object) -> Generation:
        found.append(sampling)
        assert model.owner is not None
        return Generation.objects.create(model=model, owner=model.owner, posts=list(TEXTS), seconds=1)

    monkeypatch.setattr(asking, "generate", wrote)
    return found


def fill(model: TrainedModel, **values: Any) -> Queue:
    services.change(model, {"proposals_a_day": 2, **values})
    filling.fill_next()
    return Queue.objects.get(model=model)


def tomorrow() -> None:
    Queue.objects.update(fill_at=timezone.now() - timedelta(minutes=1))


def test_it_proposes_as_many_as_wanted_once_a_day(model: TrainedModel, asked: list[SamplingConfig]) -> None:
    queue = fill(model, topics="  the   sea \n\ncoffee\ncoffee", zone="Europe/Berlin")
    assert queue.proposals.count() == 2 and queue.topics == "the sea\ncoffee"
    assert queue.fill_at is not None and timezone.now() < queue.fill_at <= timezone.now() + timedelta(hours=25)
    assert not filling.fill_next() and not filling.fill_next()
    tomorrow()
    assert filling.fill_next() and queue.proposals.count() == 4
    # A quick bot begins with a topic; links are off.
    assert all(sampling.prompt in ("the sea", "coffee") and sampling.link_guard for sampling in asked)


def test_a_fluent_bot_writes_about_a_topic_and_may_have_links(model: TrainedModel, asked: list[SamplingConfig]) -> None:
    TrainedModel.objects.filter(pk=model.pk).update(tier=Tier.FLUENT)
    fill(model, topics="the sea", with_links=True)
    assert [(sampling.about, sampling.prompt, sampling.link_guard) for sampling in asked] == [("the sea", "", False)]


def test_it_does_not_when_off_stopped_full_or_while_another_bot_writes(
    model: TrainedModel, asked: list[SamplingConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not fill(model, proposals_a_day=0).filler
    fill(model, is_stopped=True)
    services.change(model, {"is_stopped": False})
    monkeypatch.setattr(services, "MAX_PROPOSED", 1)
    propose(model)
    assert not filling.fill_next()
    Proposal.objects.all().delete()
    Queue.objects.update(fill_at=timezone.now() + timedelta(minutes=5), filler=processes.name_of(1))
    assert not filling.fill_next() and asked == []


def test_what_a_killed_process_began_is_done_by_the_next_one(model: TrainedModel, asked: list[SamplingConfig]) -> None:
    services.change(model, {"proposals_a_day": 2})
    claimed = filling._claimed()
    assert claimed is not None and filling._claimed() is None
    Queue.objects.update(filler=f"{processes.here()}:4194303-1")
    assert filling.fill_next() and Proposal.objects.count() == 2
    # One that was only slow has lost the row.
    filling._fill(claimed)
    assert Proposal.objects.count() == 2


def test_without_a_writer_it_is_tried_again_soon_and_other_troubles_are_shown(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble: list[Exception] = [WriterMissing(), errors.NothingNew("Everything was old."), RuntimeError("secret")]

    def fails(**_asked: object) -> None:
        raise trouble.pop(0)

    monkeypatch.setattr(asking, "generate", fails)
    queue = fill(model)
    assert queue.fill_at is not None and queue.fill_at < timezone.now() + timedelta(minutes=11)
    assert not queue.fill_trouble
    for said in ("Everything was old.", "on our side"):
        tomorrow()
        filling.fill_next()
        assert said in Queue.objects.get().shown_fill_trouble
    assert "secret" not in Queue.objects.get().fill_trouble


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"proposals_a_day": 21}, "proposals_a_day"),
        ({"topics": "x" * 201}, "topics"),
        ({"topics": "\n".join(map(str, range(21)))}, "topics"),
    ],
)
def test_too_much_is_refused(values: dict[str, Any], param: str, model: TrainedModel) -> None:
    with pytest.raises(errors.BadValue) as refused:
        services.change(model, values)
    assert refused.value.param == param


async def stream(model: TrainedModel) -> list[dict[str, Any]]:
    """Press the button on the page; return the lines of the answer."""
    client = AsyncClient()
    await client.aforce_login(await User.objects.aget(username="alice"))
    headers = {"accept": "application/x-ndjson"}
    answer: Any = await client.post(f"/models/{model.pk}/publish/write", {"zone": "UTC"}, headers=headers)
    text = "".join([piece.decode() async for piece in answer.streaming_content])
    return [json.loads(line) for line in text.splitlines() if line]


def test_the_page_gets_each_post_as_it_is_written_and_then_the_proposals(model: TrainedModel) -> None:
    lines = async_to_sync(stream)(model)
    made = Proposal.objects.all()
    assert any("post" in line for line in lines) and 1 <= len(made) <= services.AT_ONCE
    assert all(str(proposal.pk) in lines[-1]["generation"]["html"] for proposal in made)


def test_the_page_says_why_nothing_was_written(
    model: TrainedModel, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_may_go", lambda *_asked: False)
    assert "Everything it wrote" in async_to_sync(stream)(model)[-1]["error"]["html"]
    monkeypatch.setattr(services, "MAX_PROPOSED", 1)
    propose(model)
    assert model.owner is not None
    client.force_login(model.owner)
    answer = client.post(f"/models/{model.pk}/publish/write", headers={"accept": "application/x-ndjson"})
    assert "proposals wait for you" in answer.content.decode()
