"""Posts as they are written, over `/api/v1/models/<id>/generate?stream=1`, as they leave under ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from models_app import live, registry, services
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.models import Generation, TrainedModel
from tests.rest.helpers import V1, Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)

WANTED = {"n": 12, "temperature": 1.0, "seed": 3, "max_characters": 400}


@pytest.fixture(autouse=True)
async def close_connections() -> AsyncIterator[None]:
    """The thread in which the rows of an async test are read leaves no session behind."""
    yield
    await sync_to_async(connections.close_all)()


async def open_stream(model: TrainedModel, owner: User, body: Any) -> Any:
    text = (await sync_to_async(tokens.create_token)(owner=owner, name="stream")).text
    path = f"{V1}/models/{model.pk}/generate?stream=1"
    headers = {"Authorization": f"Bearer {text}"}
    return await AsyncClient().post(path, body, content_type="application/json", headers=headers)


async def read(answer: Any) -> list[tuple[str, dict[str, Any]]]:
    text = "".join([piece.decode() async for piece in answer.streaming_content])
    found = []
    for block in text.strip().split("\n\n"):
        if not block.startswith(":"):
            kind, data = block.split("\n", 1)
            found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_each_post_comes_and_then_all_as_they_are_kept(alice: User, base: TrainedModel) -> None:
    answer = await open_stream(base, alice, WANTED)
    assert answer.status_code == 200 and answer["Content-Type"] == "text/event-stream" and answer["X-Request-Id"]
    found = await asyncio.wait_for(read(answer), 120)
    posts, (kind, told) = [data for kind, data in found if kind == "post"], found[-1]
    assert kind == "generation" and len(posts) == len(found) - 1 == 12
    assert {post["label"] for post in posts} == {told["label"]}
    kept = await Generation.objects.aget()
    assert str(kept.pk) == told["id"] and told["posts"] == kept.posts
    # As they ended, in the order in which they were begun they are kept.
    assert sorted(post["post"] for post in posts) == sorted(kept.posts)
    assert (
        [len(post["post"]) for post in posts][:2] == sorted(map(len, kept.posts))[:2] != list(map(len, kept.posts))[:2]
    )

    def whole() -> Any:
        return Program(alice).post(f"/models/{base.pk}/generate", WANTED).json()

    assert (await sync_to_async(whole)())["posts"] == kept.posts


async def test_a_post_is_shown_before_the_last_is_written(alice: User, base: TrainedModel) -> None:
    steps: list[str] = []

    def write(on_post: Callable[[str], None], proceed: Callable[[], None]) -> Generation:
        def told(post: str) -> None:
            steps.append("post")
            on_post(post)

        def step() -> None:
            steps.append("step")
            proceed()

        sampling = SamplingConfig(count=5, temperature=1.0, seed=1)
        return services.generate(model=base, owner=alice, sampling=sampling, on_post=told, proceed=step)

    lines = live.follow(write, str, lambda generation: "", str)
    async for line in lines:
        assert line.startswith(("event: post", "event: generation"))
    first = steps.index("post")
    assert steps.count("post") == 5 and 0 < first < len(steps) - 50


async def test_who_has_gone_has_nothing_written_and_nothing_kept(alice: User, base: TrainedModel) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    steps = 0

    def write(on_post: Callable[[str], None], proceed: Callable[[], None]) -> Generation:
        nonlocal steps

        def step() -> None:
            nonlocal steps
            steps += 1
            proceed()

        try:
            sampling = SamplingConfig(count=100, temperature=1.0, seed=1, max_characters=400)
            return services.generate(model=base, owner=alice, sampling=sampling, on_post=on_post, proceed=step)
        finally:
            loop.call_soon_threadsafe(ended.set)

    lines: Any = live.follow(write, str, lambda generation: "", str)
    assert (await anext(lines)).startswith("event: post")
    await lines.aclose()
    await asyncio.wait_for(ended.wait(), 30)
    assert 0 < steps < 1000 and await Generation.objects.acount() == 0


async def test_copies_and_banned_words_are_shown_at_no_time(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = await asyncio.wait_for(read(await open_stream(base, alice, WANTED)), 120)
    copied, banned = free[0][1]["post"], max(free[1][1]["post"].split(), key=len)
    monkeypatch.setattr(registry, "load_guard", lambda model: CopyGuard.of([copied]))
    found = await asyncio.wait_for(read(await open_stream(base, alice, {**WANTED, "banned": [banned]})), 120)
    shown = [data["post"] for kind, data in found if kind == "post"]
    assert shown and sorted(shown) == sorted(found[-1][1]["posts"])
    assert copied not in shown and free[1][1]["post"] not in shown
    assert found[-1][1]["refused"]["banned"] >= 1


async def test_the_one_post_of_temperature_zero_comes_once(alice: User, base: TrainedModel) -> None:
    found = await asyncio.wait_for(read(await open_stream(base, alice, {"n": 3, "temperature": 0.0})), 60)
    assert [kind for kind, _ in found] == ["post", "generation"]
    assert found[-1][1]["posts"] == [found[0][1]["post"]] and "every post is the same" in found[-1][1]["note"]


async def test_what_breaks_on_the_way_is_an_event_of_the_one_shape(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**values: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(services, "generate", broken)
    ((kind, data),) = await asyncio.wait_for(read(await open_stream(base, alice, WANTED)), 60)
    assert kind == "error" and data["error"]["code"] == "server_error" and "secret" not in str(data)


def test_what_cannot_be_written_is_told_before_the_stream(alice: User, base: TrainedModel) -> None:
    program, path = Program(alice), f"/models/{base.pk}/generate?stream=1"
    long = {"prompt": "x" * 20, "max_characters": 10}
    require_error(program.post(path, long), 422, "bad_sampling", "prompt")
    require_error(program.post(path, {"n": 0}), 422, "bad_value", "n")
    require_error(program.post(path, {"n": 1}, Idempotency_Key="k"), 422, "stream_not_kept", "Idempotency-Key")
    require_error(program.post(f"/models/{base.pk}/generate?stream=yes", {"n": 1}), 422, "bad_value", "stream")
    assert Generation.objects.count() == 0
