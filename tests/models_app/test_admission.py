"""Writing in a web process: a few at once, nobody who has gone, nothing too large, and within the person's pace."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from botfactory.accounts import tokens
from botfactory.accounts.models import PersonalLimits, User
from botfactory.asgi import application
from models_app import admission, registry, services
from models_app.ml.sampling.sampler import Sampler
from models_app.models import Generation, TrainedModel
from tests.conftest import signed_in
from tests.product import wait_for
from tests.rest.helpers import V1, Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)

FORM = {"count": "2", "temperature": "0.8"}
BODY = {"n": 2, "temperature": 0.8}
#: What one request may ask for at most, and what never ends by itself in the time of a test.
LONG = {"n": 10, "max_characters": 4000, "temperature": 2.0}


@pytest.fixture(autouse=True)
def turnstile(settings: Any, monkeypatch: pytest.MonkeyPatch) -> admission.Turnstile:
    """One at a time, and the others are told at once."""
    settings.GENERATIONS_AT_ONCE, settings.GENERATION_WAIT_SECONDS = 1, 0
    new = admission.Turnstile()
    monkeypatch.setattr(admission, "_turnstile", new)
    return new


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A model that writes on until it is told to stop; how many are at it."""
    at_it: list[int] = []

    def generate(self: Sampler, config: Any, *, proceed: Callable[[], None], **values: Any) -> Any:
        at_it.append(1)
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                proceed()
                time.sleep(0.01)
            raise AssertionError("nobody has ended it")
        finally:
            at_it.pop()

    monkeypatch.setattr(Sampler, "generate", generate)
    yield at_it
    wait_for("the writing to end", lambda: not at_it, 30)


def test_who_comes_while_it_is_busy_is_told_when_to_come_back(alice: User, base: TrainedModel) -> None:
    page, program = signed_in(alice), Program(alice)
    with admission.enter():
        shown = page.post(f"/models/{base.pk}/generate", FORM, headers={"HX-Request": "true"})
        answers = [
            program.post(f"/models/{base.pk}/generate", BODY),
            program.post(f"/models/{base.pk}/generate?stream=1", BODY),
            program.post(f"/models/{base.pk}/evaluate", {"posts": ["hello"]}),
        ]
    assert shown.status_code == 503 and "Busy. Try again in about 2 s." in shown.content.decode()
    assert shown["Retry-After"] == "2"
    for answer in answers:
        assert "Busy. Try again in about 2 s." in require_error(answer, 503, "busy")
        assert answer["Retry-After"] == "2"
    assert not Generation.objects.exists()
    assert page.post(f"/models/{base.pk}/generate", FORM).status_code == 302
    assert program.post(f"/models/{base.pk}/generate", BODY).status_code == 200


def test_those_who_wait_go_in_in_their_order_and_one_at_a_time(settings: Any) -> None:
    settings.GENERATION_WAIT_SECONDS = 30
    order: list[int] = []
    inside: list[int] = []

    def go(number: int) -> None:
        with admission.enter():
            order.append(number)
            inside.append(number)
            assert inside == [number]
            time.sleep(0.01)
            inside.pop()

    first = admission.enter()
    with ThreadPoolExecutor(4) as pool:
        going = []
        for number in range(4):
            going.append(pool.submit(go, number))
            wait_for("it to wait", lambda: len(admission._turnstile._waiting) == len(going), pause=0.005)
        first.release()
        for each in going:
            each.result(30)
    assert order == [0, 1, 2, 3]


def test_more_than_a_few_do_not_wait_and_nobody_waits_for_ever(settings: Any) -> None:
    settings.GENERATION_WAIT_SECONDS = 30
    stop = threading.Event()

    def proceed() -> None:
        if stop.is_set():
            raise InterruptedError

    def wait_in_vain() -> type[BaseException] | None:
        try:
            admission.enter(proceed)
        except InterruptedError:
            return InterruptedError
        return None

    with admission.enter(), ThreadPoolExecutor(admission.WAITING_FOR_EACH) as pool:
        waiting = [pool.submit(wait_in_vain) for _ in range(admission.WAITING_FOR_EACH)]
        wait_for("them to wait", lambda: len(admission._turnstile._waiting) == len(waiting), pause=0.005)
        with pytest.raises(admission.Busy, match="about 10 s"):
            admission.enter()
        stop.set()
        assert [each.result(30) for each in waiting] == [InterruptedError] * len(waiting)
        settings.GENERATION_WAIT_SECONDS = 0
        with pytest.raises(admission.Busy, match="about 2 s"):
            admission.enter()
    admission.enter().release()


def test_a_ticket_counts_once_however_often_it_is_given_back() -> None:
    ticket = admission.enter()
    ticket.release()
    ticket.release()
    with admission.enter(), pytest.raises(admission.Busy):
        admission.enter()


def test_what_fails_gives_its_place_back(alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*values: Any) -> Sampler:
        raise RuntimeError("out of memory")

    program = Program(alice)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "sampler_of", broken)
        for stream in ("", "?stream=1"):
            assert program.post(f"/models/{base.pk}/generate{stream}", BODY).status_code == 500
    assert program.post(f"/models/{base.pk}/generate", BODY).status_code == 200


def test_a_stream_that_nobody_begins_to_read_gives_its_place_back(alice: User, base: TrainedModel) -> None:
    program = Program(alice)
    answer = program.post(f"/models/{base.pk}/generate?stream=1", BODY)
    assert answer.status_code == 200
    require_error(program.post(f"/models/{base.pk}/generate", BODY), 503, "busy")
    del answer
    gc.collect()
    assert program.post(f"/models/{base.pk}/generate", BODY).status_code == 200


@pytest.mark.parametrize(
    ("posts", "length", "words"),
    [(100, 4000, "at most 10 posts of this length, or at most 400 characters"), (11, 4000, "at most 10 posts")],
)
def test_more_than_one_request_may_ask_for_is_told_with_what_to_choose(
    alice: User, base: TrainedModel, posts: int, length: int, words: str
) -> None:
    program = Program(alice)
    for stream in ("", "?stream=1"):
        answer = program.post(f"/models/{base.pk}/generate{stream}", {"n": posts, "max_characters": length})
        assert words in require_error(answer, 422, "too_much_at_once", "n")
    form = {**FORM, "count": str(posts), "max_characters": str(length)}
    shown = signed_in(alice).post(f"/models/{base.pk}/generate", form)
    assert shown.status_code == 400 and words in shown.content.decode()
    assert not Generation.objects.exists()


def test_as_much_as_one_request_may_ask_for_is_written(alice: User, base: TrainedModel) -> None:
    program = Program(alice)
    for asked in ({"n": 100, "max_characters": 400}, {"n": 100, "max_characters": 4000, "top_k": 1}):
        answer = program.post(f"/models/{base.pk}/generate", asked)
        assert answer.status_code == 200, answer.content


def test_the_page_counts_towards_the_pace_as_programs_do(alice: User, base: TrainedModel) -> None:
    PersonalLimits.objects.create(user=alice, requests_a_minute=0)
    for headers in ({"HX-Request": "true"}, {}):
        answer = signed_in(alice).post(f"/models/{base.pk}/generate", FORM, headers=headers)
        assert answer.status_code == 429 and 1 <= int(answer["Retry-After"]) <= 60
        assert "requests a minute" in answer.content.decode()
    assert not Generation.objects.exists()


class Caller:
    """A client of the ASGI application that can hang up."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes, content_type: str) -> None:
        path, _, query = path.partition("?")
        sent = {"host": "localhost", "content-type": content_type, **headers}
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.answers: list[Mapping[str, Any]] = []
        self.running = asyncio.create_task(application(self.scope, self.incoming.get, self._take))

    async def _take(self, message: Mapping[str, Any]) -> None:
        self.answers.append(message)

    async def hang_up(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})
        ended, _ = await asyncio.wait({self.running}, timeout=5)
        assert ended


@pytest.mark.parametrize("way", ["page", "program", "stream", "waiting"])
async def test_who_hangs_up_ends_the_computation(
    alice: User, base: TrainedModel, endless: list[int], settings: Any, way: str
) -> None:
    settings.GENERATION_WAIT_SECONDS = 30
    ticket = admission.enter() if way == "waiting" else None
    if way == "page":
        browser: Any = await sync_to_async(signed_in)(alice)
        session = browser.cookies["sessionid"].value
        headers = {"cookie": f"sessionid={session}; csrftoken={'a' * 32}", "x-csrftoken": "a" * 32}
        form = b"count=2&temperature=0.8"
        caller = Caller(f"/models/{base.pk}/generate", headers, form, "application/x-www-form-urlencoded")
    else:
        text = (await sync_to_async(tokens.create_token)(owner=alice, name="program")).text
        path = f"{V1}/models/{base.pk}/generate{'?stream=1' if way == 'stream' else ''}"
        caller = Caller(path, {"authorization": f"Bearer {text}"}, b'{"n": 2}', "application/json")
    turnstile = admission._turnstile

    def begun() -> bool:
        return len(turnstile._waiting) == 1 if way == "waiting" else endless == [1]

    deadline = time.monotonic() + 30
    while not begun():
        assert time.monotonic() < deadline and not caller.running.done(), caller.answers
        await asyncio.sleep(0.01)
    hung_up = time.monotonic()
    await caller.hang_up()
    while endless or turnstile._waiting or turnstile._inside != (ticket is not None):
        assert time.monotonic() < hung_up + 5
        await asyncio.sleep(0.01)
    assert not any(message.get("status", 200) >= 400 for message in caller.answers)
    assert await Generation.objects.acount() == 0
    await sync_to_async(connections.close_all)()


def test_a_sampler_is_loaded_once_for_several_who_ask_at_once(base: TrainedModel) -> None:
    from tests.at_once import at_once

    registry._sampler.cache_clear()
    assert len({id(sampler) for sampler in at_once(4, lambda: registry.sampler_of(base))}) == 1


def test_services_need_no_web_process(alice: User, base: TrainedModel) -> None:
    from models_app.ml.config import SamplingConfig

    generation = services.generate(model=base, owner=alice, sampling=SamplingConfig(count=2))
    assert len(generation.posts) == 2
