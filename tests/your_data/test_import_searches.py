"""Searches in the ZIP of an account: they come back stopped, and nothing in them is trusted."""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from botfactory.accounts import services as accounts
from botfactory.accounts.models import User
from botfactory.jobs.states import State
from botfactory.your_data import exporting, importing
from models_app.models import Search, TrainedModel, Trial
from models_app.moving import searches as moving
from models_app.search import services as searches
from tests.conftest import signed_in
from tests.models_app.searching import search_for
from tests.your_data.test_export import files_of, lines
from tests.your_data.zips import imported, zipped

pytestmark = pytest.mark.django_db(transaction=True)


def test_searches_come_back_stopped_and_can_go_on(
    alice: User, bob: User, bot: TrainedModel, base: TrainedModel
) -> None:
    assert bot.corpus is not None
    search = search_for(bot.corpus, base, trials=4, pruner="hyperband")
    made = timezone.now()
    trial = {"learning_rate": 0.001, "epochs": 2, "batch_size": 8}
    same = {"search": search, "parameters": trial, "points": {"1": 2.5, "2": 2.25}, "seconds": 3.5, "started_at": made}
    Trial.objects.create(number=0, state="complete", bits_per_character=2.25, weights=99, finished_at=made, **same)
    Trial.objects.create(
        number=1, state="pruned", bits_per_character=2.5, attributes={"completed_rung_0": 2.5, "x": 1}, **same
    )
    Trial.objects.create(number=2, state="running", **same)
    own = search_for(bot.corpus, bot, trials=1, name="From a bot")
    files = files_of(b"".join(exporting.pieces_of(alice)))
    accounts.delete_account(alice)
    job = imported(bob, zipped(files))
    assert (job.result["searches"], job.result["searches_left_out"]) == (2, 0)
    again = Search.objects.get(owner=bob, name=search.name)
    for name in ("space", "settings", "sampler", "pruner", "wanted", "at_once", "seed", "created_at", "importance"):
        assert getattr(again, name) == getattr(search, name), name
    assert again.start == base and not again.lanes.exists()
    found = list(again.trials.order_by("number").values_list("state", "bits_per_character", "points", "attributes"))
    assert found == [
        ("complete", 2.25, {"1": 2.5, "2": 2.25}, {}),
        ("pruned", 2.5, {"1": 2.5, "2": 2.25}, {"completed_rung_0": 2.5}),
        ("waiting", None, {}, {}),
    ]
    start = Search.objects.get(owner=bob, name=own.name).start
    assert start is not None and start.owner == bob
    client = signed_in(bob)
    assert "2 searches" in client.get(f"/jobs/{job.pk}/").content.decode()
    assert client.get(f"/searches/{again.pk}/").status_code == 200
    searches.resume(again, by=bob)
    assert searches.trials_left(again) == 2 and again.lanes.count() == 1
    # Another attempt of the same job adds none.
    numbers = partial(importing.number_in, job)
    moving.restore(lines(files["searches.jsonl"]), owner=bob, numbers=numbers, fenced=transaction.atomic)
    assert Search.objects.count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"space": {"learning_rate": {"low": 1, "high": 0}}},
        {"space": {"made_up": {"choices": [1]}}},
        {"settings": {"characters": 0, "epochs": 1, "most_characters": 0}},
        {"trials_wanted": 501},
        {"sampler": "none"},
        {"seed": -1},
        {"corpus": str(uuid.uuid4())},
        {"start": str(uuid.uuid4()), "start_sha256": "0" * 64},
        {"trials": [{"number": 1}]},
        {"trials": [{"parameters": {"learning_rate": 5.0, "epochs": 2, "batch_size": 8}}]},
        {"trials": [{"parameters": {"learning_rate": 0.001}}]},
        {"trials": [{"bits_per_character": None}]},
        {"trials": [{"points": {"a": 1.0}}]},
    ],
)
def test_a_search_that_no_search_could_be_is_left_out(
    wrong: dict[str, Any], alice: User, bob: User, bot: TrainedModel, base: TrainedModel
) -> None:
    assert bot.corpus is not None
    search = search_for(bot.corpus, base)
    values = {"learning_rate": 0.001, "epochs": 2, "batch_size": 8}
    Trial.objects.create(search=search, number=0, state="complete", bits_per_character=2.0, parameters=values)
    files = files_of(b"".join(exporting.pieces_of(alice)))
    accounts.delete_account(alice)
    [line] = lines(files["searches.jsonl"])
    trials = [{**line["trials"][0], **trial} for trial in wrong.get("trials", [{}])]
    spoiled = line | wrong | {"trials": trials}
    job = imported(bob, zipped(files | {"searches.jsonl": json.dumps(spoiled).encode()}))
    assert job.state == State.SUCCEEDED, job.error_message
    assert (job.result["searches"], job.result["searches_left_out"]) == (0, 1)
    assert not Search.objects.exists()
