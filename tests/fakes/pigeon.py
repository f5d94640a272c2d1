"""A network that we made up: a source of posts as a module, for tests that register it with one line.

Its accounts are called "~name", its server lists the posts of one in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.fakes.server import Answer, FakeServer
from tweets.sources.base import Page, Post, Source, SourceSettings, UnknownHandle
from tweets.sources.kinds import Claim, Network
from tweets.sources.web.client import Client
from tweets.sources.web.json_api import JsonApi


@dataclass(frozen=True, slots=True)
class PigeonSettings:
    api_url: str = "https://pigeon.example"


class PigeonSource:
    def __init__(self, handle: str, settings: SourceSettings) -> None:
        url = settings.of(PigeonSettings).api_url
        self._handle = handle
        self._api = JsonApi("Pigeon", url, settings, Client(settings, trusted=[url]))

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        reply = self._api.ask("/posts", of=self._handle)
        if reply.status != 200:
            raise UnknownHandle(f"Pigeon has no account ~{self._handle}.")
        yield Page(tuple(Post(str(key), text, None) for key, text in enumerate(reply.data)), None)


def parse(text: str) -> str:
    name = text.strip().removeprefix("pigeon:").removeprefix("@").removeprefix("~")
    if not re.fullmatch(r"[a-z]{1,20}", name):
        raise ValueError("A Pigeon handle looks like ~name.")
    return name


def claim(text: str) -> Claim:
    return Claim.CERTAIN if text.startswith("pigeon:") else Claim.NO


def _open(handle: str, settings: SourceSettings) -> Source:
    return PigeonSource(handle, settings)


KIND = Network(
    name="pigeon",
    label="Pigeon",
    at_terminal="pigeon:name",
    open=_open,
    example="~name",
    hint="The newest %(max_posts)s posts, 100%% feathers.",
    parse=parse,
    claim=claim,
    settings=PigeonSettings,
    max_posts=1_234,
)


class PigeonServer(FakeServer):
    """Knows the posts of its accounts."""

    def __init__(self, **accounts: list[str]) -> None:
        super().__init__()
        self.accounts = accounts

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        posts = self.accounts.get(query.get("of", ""))
        return Answer(404, {}) if posts is None else Answer(200, posts)
