"""Of several drafts, the one that makes most sense is kept: on the page, in the API and in the terminal."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connections
from django.test import AsyncClient

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.writing import admission, generations
from models_app.writing.requests import characters_of
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.rest.helpers import Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_bot_chooses_among_drafts_wherever_it_is_asked(alice: User, base: TrainedModel, writer: None) -> None:
    told = Program(alice).post(f"/models/{base.pk}/generate", {"n": 3, "seed": 4, "best_of": 3}).json()
    assert len(told["posts"]) == 3 and told["settings"]["best_of"] == 3 and told["settings"]["temperature"] == 0.9
    here, _ = generations.write(base, SamplingConfig(count=3, seed=4, best_of=3))
    assert here.posts == told["posts"] != generations.write(base, SamplingConfig(count=3, seed=4))[0].posts
    out = StringIO()
    call_command("generate", str(base.pk), "--count", 3, "--seed", 4, "--best-of", 3, "--json", stdout=out)
    assert json.loads(out.getvalue())["posts"] == told["posts"]


def test_each_tier_writes_as_usual_unless_asked_otherwise(
    alice: User, base: TrainedModel, fluent: TrainedModel
) -> None:
    usual = {model.tier: generations.settled(SamplingConfig(), model) for model in (base, fluent)}
    ways = {tier: (each.temperature, each.top_p, each.best_of) for tier, each in usual.items()}
    assert ways == {"quick": (0.9, 1.0, 1), "fluent": (0.5, 0.9, 3)}
    page = signed_in(alice).get(f"/models/{fluent.pk}/").content.decode()
    assert 'value="0.5" data-usual="0.5"' in page and 'data-three="0.3 0.5 0.9 "' in page
    assert "0.5 makes most sense." in page and "Choose the best" not in page


async def test_ten_posts_of_a_fluent_bot_stream_each_place_once(
    alice: User, fluent: TrainedModel, writer: None
) -> None:
    client = AsyncClient()
    await client.aforce_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    form, headers = {"count": "10", "seed": "4", "max_characters": "280"}, {"Accept": "application/x-ndjson"}
    answer: Any = await client.post(f"/models/{fluent.pk}/generate", form, headers=headers)
    text = "".join([piece.decode() async for piece in answer.streaming_content])
    *lines, last = [json.loads(line) for line in text.splitlines()]
    posts = {line["place"]: line["post"] for line in lines if "post" in line}
    kept = await Generation.objects.aget()
    assert len(posts) == sum("post" in line for line in lines) and "generation" in last
    assert [posts[place] for place in sorted(posts)] == kept.posts and len(kept.posts) == 10
    assert kept.sampling["best_of"] == 3 and "the best of 3 drafts for each post" in last["generation"]["html"]
    await sync_to_async(connections.close_all)()


def test_drafts_cost_time_but_do_not_count_for_how_much_can_be_asked_for(alice: User, base: TrainedModel) -> None:
    program = Program(alice)
    answer = program.post(f"/models/{base.pk}/generate", {"n": 50, "best_of": 3, "max_characters": 1000})
    assert "at most 40 posts of this length, or for posts of at most 800 characters" in require_error(
        answer, 422, "too_much_at_once", "n"
    )
    admission.require_size(SamplingConfig(count=100, max_characters=400, best_of=5))
    ten = SamplingConfig(count=10)
    assert characters_of(SamplingConfig(count=10, best_of=3)) == 3 * characters_of(ten)
    # Few characters are no less work: more drafts don't end within them.
    assert characters_of(SamplingConfig(count=10, max_characters=1)) == characters_of(ten)
    for wrong in (0, 10, "3", 2.5):
        require_error(program.post(f"/models/{base.pk}/generate", {"best_of": wrong}), 422, "bad_value", "best_of")
