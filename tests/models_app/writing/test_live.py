"""Posts as they are written, through `/api/v1/models/<id>/generate?stream=1` under ASGI."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.test import AsyncClient

from botfactory.accounts import tokens
from botfactory.accounts.models import User
from models_app.bots import files
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import Drawing, Sampler
from models_app.writing.rows import Generation
from tests.rest.helpers import V1, Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)

WANTED = {"n": 12, "temperature": 1.0, "seed": 3, "max_characters": 400}


@pytest.fixture(autouse=True)
async def close_connections() -> AsyncIterator[None]:
    """Close the database session of the thread that reads rows for an async test."""
    yield
    await sync_to_async(connections.close_all)()


async def open_stream(
    model: TrainedModel, owner: User, body: Any, *, query: str = "?stream=1", accept: str = "*/*"
) -> Any:
    text = (await sync_to_async(tokens.create_token)(owner=owner, name="stream")).text
    path = f"{V1}/models/{model.pk}/generate{query}"
    headers = {"Authorization": f"Bearer {text}", "Accept": accept}
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
    # They arrive as they end, and are stored in the order in which they began.
    assert sorted(post["post"] for post in posts) == sorted(kept.posts)
    assert (
        [len(post["post"]) for post in posts][:2] == sorted(map(len, kept.posts))[:2] != list(map(len, kept.posts))[:2]
    )

    def whole() -> Any:
        return Program(alice).post(f"/models/{base.pk}/generate", WANTED).json()

    assert (await sync_to_async(whole)())["posts"] == kept.posts


async def test_the_same_comes_as_a_json_object_a_line(alice: User, base: TrainedModel) -> None:
    answer = await open_stream(base, alice, WANTED, query="", accept="application/x-ndjson")
    assert answer.status_code == 200 and answer["Content-Type"] == "application/x-ndjson"
    text = "".join([piece.decode() async for piece in answer.streaming_content])
    *posts, last = [json.loads(line) for line in text.splitlines() if line]
    kept = await Generation.objects.aget()
    assert sorted(post["post"] for post in posts) == sorted(kept.posts) and len(posts) == 12
    assert last["generation"]["posts"] == kept.posts and posts[0]["label"] == last["generation"]["label"]


def halting_after(callback: str, go_on: threading.Event) -> Callable[..., Drawing]:
    """Return a `Sampler.draw` that waits for `go_on` once it has called this callback."""
    draw = Sampler.draw

    def halting(self: Sampler, config: SamplingConfig, **values: Any) -> Drawing:
        shown: list[Any] = []
        tell = values.pop(callback)

        def told(*what: Any) -> None:
            tell(*what)
            shown.append(what)

        values[callback] = told
        drawing = draw(self, config, **values)
        step = next(drawing)
        while True:
            if shown:
                assert go_on.wait(30)
            result = yield step
            try:
                step = drawing.send(result)
            except StopIteration as end:
                writing: Writing = end.value
                return writing

    return halting


async def test_a_post_is_shown_before_the_last_is_written(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(Sampler, "draw", halting_after("on_post", go_on))
    answer = await open_stream(base, alice, WANTED)
    pieces = aiter(answer.streaming_content)
    assert (await asyncio.wait_for(anext(pieces), 60)).startswith(b"event: post")
    # Who listens for a minute takes no connection from others meanwhile.
    assert await sync_to_async(lambda: connection.connection)() is None
    assert await Generation.objects.acount() == 0
    go_on.set()
    more = [piece.decode() async for piece in pieces]
    assert len(more) == 12 and more[-1].startswith("event: generation")


async def test_who_asks_for_it_sees_how_posts_begin(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(Sampler, "draw", halting_after("on_beginnings", go_on))
    # The base model writes random characters, and few of its words are without digits.
    answer = await open_stream(base, alice, {**WANTED, "n": 60}, query="?stream=1&beginnings=1")
    pieces = aiter(answer.streaming_content)
    while not (piece := (await asyncio.wait_for(anext(pieces), 60)).decode()).startswith("event: beginnings"):
        assert piece.startswith("event: post")
    begun = json.loads(piece.partition("data: ")[2])["beginnings"]
    go_on.set()
    more = [piece.decode() async for piece in pieces]
    assert more[-1].startswith("event: generation")
    posts = (await Generation.objects.aget()).posts
    assert begun and all(number.isdigit() and text for number, text in begun.items())
    assert any(post.startswith(text) for post in posts for text in begun.values())


async def test_copies_and_banned_words_are_shown_at_no_time(alice: User, base: TrainedModel) -> None:
    free = await asyncio.wait_for(read(await open_stream(base, alice, WANTED)), 120)
    copied, banned = free[0][1]["post"], max(free[1][1]["post"].split(), key=len)
    # The writer has the bot in memory and notices that its guard changed.
    CopyGuard.of([copied]).save(files.path_of(base) / FINGERPRINTS)
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
    def broken(*values: Any, **more: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(Sampler, "draw", broken)
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
