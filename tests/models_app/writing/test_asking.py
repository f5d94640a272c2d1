"""Asking a writer: limited admission, no work for people who left, and the same posts as without a writer."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from botfactory.accounts.models import PersonalLimits, User
from botfactory.words.translatable import mark
from botfactory.words.translation import recalled, translated
from models_app.bots import files, guards, loading
from models_app.bots.errors import UnknownModel
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import TooFewPosts
from models_app.ml.sampling.sampler import Sampler
from models_app.sharing import rights as sharing
from models_app.training import evaluating
from models_app.writing import admission, asking, generations, writer
from models_app.writing.answers import Inbox
from models_app.writing.board import Board, Bounds, client
from models_app.writing.requests import Event, Facts, Request, bot_of
from models_app.writing.rows import Generation
from models_app.writing.writer import LOOK
from tests import pseudo
from tests.conftest import signed_in
from tests.product import wait_for
from tests.rest.helpers import Program, require_error

from .desk import FACTS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

FORM = {"count": "2", "temperature": "0.8"}
BODY = {"n": 2, "temperature": 0.8}
#: Milliseconds
MUCH = 20_000


@pytest.fixture
def full(board: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Queue requests of somebody else that take writers 20 seconds."""
    told = Facts(
        host="here",
        pid=1,
        threads=1,
        rates={"quick": 1000.0, "fluent": 100.0},
        requests=1,
        models=1,
        bots=[],
        megabytes=1.0,
    )
    with monkeypatch.context() as patch:
        patch.setattr(admission.Writers, "known", lambda self, board: {"w": told})
        board.server.zadd("botfactory.write.pending", {f"ahead|{MUCH}|somebody": time.time() + 600})
        yield
        board.server.zrem("botfactory.write.pending", f"ahead|{MUCH}|somebody")


def request(number: int, weight: int, person: str) -> Request:
    return Request(id=f"r{number}", model="m", sha256="", person=person, answers="nobody", weight=weight)


def test_who_comes_while_it_is_busy_is_told_when_to_come_back(
    alice: User, base: TrainedModel, full: None, board: Board
) -> None:
    page, program = signed_in(alice), Program(alice)
    shown = page.post(f"/models/{base.pk}/generate", FORM, headers={"HX-Request": "true"})
    answers = [
        program.post(f"/models/{base.pk}/generate", BODY),
        program.post(f"/models/{base.pk}/generate?stream=1", BODY),
        program.post(f"/models/{base.pk}/generate", BODY, Accept="application/x-ndjson"),
        program.post(f"/models/{base.pk}/evaluate", {"posts": ["hello"]}),
    ]
    assert shown.status_code == 503 and "Busy. Try again in about 20 s." in shown.content.decode()
    assert shown["Retry-After"] == "20"
    for answer in answers:
        assert "Busy. Try again in about 20 s." in require_error(answer, 503, "busy")
        assert answer["Retry-After"] == "20"
    assert not Generation.objects.exists() and board.pending() == 1


def test_when_it_is_no_longer_busy_they_get_in(alice: User, base: TrainedModel, board: Board) -> None:
    assert signed_in(alice).post(f"/models/{base.pk}/generate", FORM).status_code == 302
    assert Program(alice).post(f"/models/{base.pk}/generate", BODY).status_code == 200


@pytest.mark.parametrize("gone", ["writer", "broker"])
def test_without_a_writer_they_are_told_at_once(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    def known(*values: Any) -> dict[str, Facts]:
        if gone == "broker":
            raise ConnectionError
        return {}

    monkeypatch.setattr(admission.Writers, "known", known)
    begun = time.monotonic()
    answer = Program(alice).post(f"/models/{base.pk}/generate", BODY)
    assert "The writer isn’t running" in require_error(answer, 503, "writer_missing")
    assert answer["Retry-After"] == "10"
    shown = signed_in(alice).post(f"/models/{base.pk}/generate", FORM, headers={"HX-Request": "true"})
    assert shown.status_code == 503 and "The writer isn’t running" in shown.content.decode()
    assert time.monotonic() - begun < asking.GIVE_UP


@pytest.fixture
def quiet() -> Board:
    """A board from which no writer takes anything."""
    return Board(client(), f"test-{uuid.uuid4()}")


def test_nobody_gets_in_behind_more_than_the_writers_can_do_in_time(quiet: Board) -> None:
    bounds = Bounds(weight=1000, slots=1, requests=100)
    let_in = [quiet.admit(request(number, 300, f"person {number}"), bounds) for number in range(5)]
    assert let_in == [(True, 0), (True, 300), (True, 600), (True, 900), (False, 1200)]
    quiet.cancel(request(1, 300, "person 1"))
    assert quiet.admit(request(9, 300, "person 9"), bounds) == (True, 900)


def test_one_person_leaves_room_for_others(quiet: Board) -> None:
    bounds = Bounds(weight=1000, slots=1, requests=100)
    hers = [quiet.admit(request(number, 200, "alice"), bounds)[0] for number in range(6)]
    assert hers == [True, True, True, False, False, False]
    assert quiet.admit(request(7, 200, "bob"), bounds) == (True, 600)


def test_there_are_only_so_many_requests_and_as_many_as_run_at_once_always_get_in(quiet: Board) -> None:
    for number in range(4):
        is_in, _ = quiet.admit(request(number, 1, f"person {number}"), Bounds(weight=1000, slots=1, requests=3))
        assert is_in == (number < 3)
    assert quiet.admit(request(5, 1, "somebody"), Bounds(weight=0, slots=4, requests=3))[0]
    assert not quiet.admit(request(6, 1, "somebody"), Bounds(weight=0, slots=4, requests=3))[0]


def test_a_request_counts_for_as_long_as_it_takes_the_writers_at_their_pace_of_now(
    alice: User, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = FACTS | {"rates": {"quick": 1400.0, "fluent": 140.0}}
    monkeypatch.setattr(admission.Writers, "known", lambda self, board: {"a": told, "b": told})
    weights: list[int] = []

    def admit(board: Board, request: Request) -> None:
        weights.append(request.weight)
        raise admission.Busy(1)

    monkeypatch.setattr(admission, "admit", admit)
    for tier in ("quick", "fluent"):
        base.tier = tier
        with pytest.raises(admission.Busy):
            asking.ask(alice, base, SamplingConfig(count=3, copy_guard=False))
        with pytest.raises(admission.Busy):
            asking.evaluate(model=base, owner=alice, posts=[10 * "hello you "])
    # Three posts of about 140 characters at 2,800 a second; half as much for each of two models to measure
    assert weights == [150, 36, 1500, 358]


def test_who_has_waited_too_long_is_told_so(
    alice: User, base: TrainedModel, quiet: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Facts(host="here", pid=1, threads=1, rates={"quick": 1000.0}, requests=1, models=1, bots=[], megabytes=1.0)
    monkeypatch.setattr(admission.Writers, "known", lambda self, board: {"w": told})
    monkeypatch.setattr(asking, "_board", lambda url: quiet)
    monkeypatch.setattr(asking, "LONGEST", 1)
    answer = Program(alice).post(f"/models/{base.pk}/generate", BODY)
    assert "This took longer than ten minutes." in require_error(answer, 503, "took_too_long")
    assert quiet.pending() == 0


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def draw(*values: Any, **more: Any) -> Any:
        raise RuntimeError("secret inside")

    with monkeypatch.context() as patch:
        patch.setattr(Sampler, "draw", draw)
        yield


def test_what_fails_in_the_writer_is_told_to_a_program(alice: User, base: TrainedModel, broken: None) -> None:
    answer = Program(alice).post(f"/models/{base.pk}/generate", BODY)
    assert "secret" not in require_error(answer, 500, "server_error")


def test_what_fails_in_the_writer_is_told_on_a_page(alice: User, base: TrainedModel, broken: None) -> None:
    browser = signed_in(alice)
    browser.raise_request_exception = False
    shown = browser.post(f"/models/{base.pk}/generate", FORM)
    assert shown.status_code == 500 and "secret" not in shown.content.decode()


def test_what_a_writer_says_can_be_translated(base: TrainedModel, settings: Any) -> None:
    """Its error arrives with its template, as it was raised there."""
    settings.LANGUAGES = [("en", "English"), (pseudo.CODE, "Marks")]
    for error, shown in (
        (TooFewPosts(mark("There are %(count)s posts in %(name)s."), count=1000, name="a.txt"), "⟦There are 1\xa0000"),
        (guards.GuardLost(base), f"⟦{base.name} can’t write"),
        (UnknownModel(mark("This bot has just been deleted.")), "⟦This bot has just been deleted.⟧"),
    ):
        sent = json.loads(json.dumps(writer._failed(request(1, 1, "alice"), error)))
        arrived = asking._error_of(sent["code"], recalled(sent["message"], sent["words"]))
        assert (type(arrived), str(arrived)) == (type(error), str(error))
        with pseudo.marked(), translation.override(pseudo.CODE):
            assert translated(arrived).startswith(shown)


def test_damaged_weights_are_told_and_nothing_hangs(alice: User, base: TrainedModel, board: Board) -> None:
    weights = files.path_of(base) / "weights.safetensors"
    whole = weights.read_bytes()
    TrainedModel.objects.filter(pk=base.pk).update(sha256="0" * 64)
    weights.write_bytes(whole[:-1])
    answer = Program(alice).post(f"/models/{base.pk}/generate", BODY)
    require_error(answer, 500, "checkpoint_damaged")
    shown = signed_in(alice).post(f"/models/{base.pk}/generate", FORM, headers={"HX-Request": "true"})
    assert shown.status_code == 400 and "The weights in weights.safetensors are incomplete" in shown.content.decode()


def test_a_bot_that_is_deleted_meanwhile_is_told(alice: User, base: TrainedModel, board: Board) -> None:
    gone = TrainedModel(owner=alice, name="Gone", sha256=base.sha256, directory=base.directory, network=base.network)
    with pytest.raises(UnknownModel, match="has just been deleted"):
        asking.generate(model=gone, owner=alice, sampling=SamplingConfig(copy_guard=False))


@pytest.mark.parametrize(
    ("posts", "length", "words"),
    [
        (100, 4000, "at most 10 posts of this length, or for posts of at most 400 characters"),
        (11, 4000, "at most 10 posts"),
    ],
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


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingConfig(count=5, seed=7),
        SamplingConfig(count=3, seed=1, prompt="Olá 👋 \N{COMBINING ACUTE ACCENT}", top_k=40, top_p=0.9),
        SamplingConfig(count=4, temperature=0.0),
        SamplingConfig(count=5, seed=2, banned=("the", "a"), mask_mentions=False, max_characters=30),
    ],
)
def test_the_writer_writes_what_is_written_without_it(
    alice: User, bot: TrainedModel, sampling: SamplingConfig, board: Board
) -> None:
    alone, _ = generations.write(bot, sampling)
    kept = asking.generate(model=bot, owner=alice, sampling=sampling)
    assert (kept.posts, kept.refused) == (alone.posts, alone.refused.as_dict())
    assert SamplingConfig.from_dict(kept.sampling) == generations.settled(sampling, bot) or sampling.seed is None
    assert kept.refused["copies"] is not None and kept.seconds > 0


def test_a_model_is_measured_as_without_a_writer(alice: User, bot: TrainedModel, board: Board) -> None:
    posts = ["just had the best coffee of my life", "día 1"]
    assert asking.evaluate(model=bot, owner=alice, posts=posts) == evaluating.evaluate(bot, posts)


def test_the_page_counts_towards_the_pace_as_programs_do(alice: User, base: TrainedModel) -> None:
    PersonalLimits.objects.create(user=alice, requests_a_minute=0)
    for headers in ({"HX-Request": "true"}, {}):
        answer = signed_in(alice).post(f"/models/{base.pk}/generate", FORM, headers=headers)
        assert answer.status_code == 429 and 1 <= int(answer["Retry-After"]) <= 60
        assert "requests per minute" in answer.content.decode()
    assert not Generation.objects.exists()


def test_a_sampler_is_loaded_once_for_several_who_ask_at_once(base: TrainedModel) -> None:
    from tests.at_once import at_once

    loading._sampler.cache_clear()
    assert len({id(sampler) for sampler in at_once(4, lambda: loading.sampler_of(base))}) == 1


def test_who_reads_slowly_finds_only_the_newest_beginnings() -> None:
    inbox = Inbox()
    for number in range(1000):
        inbox.put(Event(request="r", kind="beginnings", beginnings={"0": str(number)}))
        if number == 500:
            inbox.put(Event(request="r", kind="post", number=0, place=0, post="whole"))
    found = [inbox.get(0) for _ in range(3)]
    assert [event and event.get("post", event.get("beginnings")) for event in found] == ["whole", {"0": "999"}, None]


def test_services_need_neither_writer_nor_web_process(alice: User, base: TrainedModel) -> None:
    generation = generations.generate(model=base, owner=alice, sampling=SamplingConfig(count=2))
    assert len(generation.posts) == 2


def is_in_memory(board: Board, bot: TrainedModel) -> bool:
    return any(bot_of(str(bot.pk), bot.sha256) in facts["bots"] for facts in board.writers().values())


def wrote(bot: TrainedModel, owner: User) -> None:
    Generation.objects.create(model=bot, owner=owner, posts=["A post."], sampling={"count": 1}, seconds=0.1)


def test_the_writer_loads_the_bot_whose_page_is_open(bot: TrainedModel, alice: User, board: Board) -> None:
    # Otherwise, the page lets it write at once.
    wrote(bot, alice)
    assert signed_in(alice).get(bot.get_absolute_url()).status_code == 200
    wait_for("the writer to have it", lambda: is_in_memory(board, bot))


def test_nobody_makes_a_writer_load_what_they_may_not_let_write(
    bot: TrainedModel, alice: User, bob: User, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise, pages would let it write at once for whoever may.
    monkeypatch.setattr(asking, "is_free", lambda: False)
    page, shared = bot.get_absolute_url(), sharing.share(bot, "unlisted").get_shared_url()
    answers = [signed_in(bob).get(page), Client().get(page), Client().get(shared)]
    assert [answer.status_code for answer in answers] == [404, 302, 200]
    time.sleep(3 * LOOK)
    assert not is_in_memory(board, bot)
    signed_in(bob).get(shared)
    wait_for("the writer to have it", lambda: is_in_memory(board, bot))
