"""A web process of its own with a board of its own, copies of bots, and what writers answer."""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from botfactory.accounts.models import User
from models_app.bots import files, loading
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.sampler import Sampler
from models_app.writing import generations
from models_app.writing.board import Board, Bounds, client
from models_app.writing.requests import Event, Facts, Request
from models_app.writing.writer import Writer

FACTS = Facts(host="here", pid=1, threads=1, rates={"quick": 1000.0}, requests=0, models=0, bots=[], megabytes=0.0)
FREE = Bounds(weight=10**6, slots=100, requests=100)


class Desk:
    """A web process of its own with a board of its own."""

    def __init__(self) -> None:
        self.prefix = f"test-{uuid.uuid4()}"
        self.board = Board(client(waits=True), self.prefix)
        self.board.present("desk")

    def ask(self, model: TrainedModel, **values: object) -> Request:
        sampling = generations.seeded(SamplingConfig(**values))  # type: ignore[arg-type]
        return self._admitted(model, "1", sampling=sampling.as_dict())

    def measure(self, model: TrainedModel, *posts: str) -> Request:
        return self._admitted(model, "2", posts=list(posts))

    def _admitted(self, model: TrainedModel, person: str, **what: Any) -> Request:
        request = Request(
            id=uuid.uuid4().hex,
            model=str(model.pk),
            sha256=model.sha256,
            person=person,
            answers="desk",
            weight=100,
            **what,
        )
        assert self.board.admit(request, FREE)[0]
        return request

    def events(self, *requests: Request, seconds: float = 60) -> list[Event]:
        """Return all messages until each of these has ended."""
        waiting, found = {request.id for request in requests}, []
        deadline = time.monotonic() + seconds
        while waiting:
            assert time.monotonic() < deadline, f"no end of {waiting}"
            self.board.present("desk")
            for event in self.board.answers("desk", 0.2):
                found.append(event)
                if event["kind"] != "post":
                    waiting.discard(event["request"])
        return found

    @contextmanager
    def writer(self, *, megabytes: int = 200) -> Iterator[Writer]:
        writer = Writer(threads=1, megabytes=megabytes, prefix=self.prefix)
        thread = threading.Thread(target=writer.run)
        thread.start()
        try:
            yield writer
        finally:
            writer.stop()
            thread.join(30)
            assert not thread.is_alive()


def posts_in(events: list[Event], request: Request) -> list[str]:
    return [event["post"] for event in events if event["kind"] == "post" and event["request"] == request.id]


def copies_of(base: TrainedModel, owner: User, count: int) -> list[TrainedModel]:
    """Bots with files of their own."""
    made = []
    for number in range(count):
        bot = TrainedModel(owner=owner, name=f"Bot {number}", sha256=base.sha256, network=base.network)
        bot.directory = f"users/{owner.pk}/{bot.pk}"
        shutil.copytree(files.path_of(base), files.path_of(bot))
        bot.save()
        made.append(bot)
    return made


@contextmanager
def slowly_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Models that are loaded once this ends, and which have begun to be."""
    begun: list[str] = []
    goes_on = threading.Event()
    open_sampler = loading.open_sampler

    def slowly(model: TrainedModel) -> Sampler:
        begun.append(model.name)
        assert goes_on.wait(60)
        return open_sampler(model)

    monkeypatch.setattr(loading, "open_sampler", slowly)
    try:
        yield begun
    finally:
        goes_on.set()
