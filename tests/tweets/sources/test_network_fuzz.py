"""Whatever a network answers, its source gives correct pages or a SourceError, and ends.

SOURCE_FUZZ_ROUNDS sets how many answers each test tries (default: 150).
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from botfactory.net import Answer
from tests.fakes.bluesky_server import BlueskyServer, did_of
from tests.fakes.mastodon_server import MastodonServer
from tests.fakes.x_api_server import TOKEN, XApiServer
from tests.tweets.sources.helpers import DATA
from tweets.sources.base import Page, Post, SourceError, SourceSettings, storable
from tweets.sources.bluesky.reader import BlueskySource
from tweets.sources.mastodon.reader import MastodonSource
from tweets.sources.web.client import Client
from tweets.sources.x.reader import XApiSource
from tweets.sources.x.settings import XSettings

ROUNDS = int(os.environ.get("SOURCE_FUZZ_ROUNDS", "150"))
SETTINGS = SourceSettings(retry_delays=(), max_posts=60, page_size=20, own=XSettings(bearer_token=TOKEN))
MAX_PAGES = 80
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    float("nan"),
    "",
    "text",
    "\ud800",
    "\x00",
    "x" * 300,
    "https://[::1",
    "2026-13-45",
    "9999-12-31T23:59:59-14:00",
    "at://",
    "<p>a<",
    [],
    {},
    [[]],
    [None],
    {"id": {}},
]


class Scripted(Client):
    """Gives its answers in order, then repeats the last one, and counts the requests."""

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(SETTINGS)
        self.answers = answers
        self.asked = 0

    def get(self, url: str) -> Answer:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def bluesky(answers: list[Answer]) -> Iterator[Page]:
    return BlueskySource("chatty.bsky.social", SETTINGS, client=Scripted(answers)).pages()


def mastodon(answers: list[Answer]) -> Iterator[Page]:
    return MastodonSource("chatty@a.example", SETTINGS, client=Scripted(answers)).pages()


def x(answers: list[Answer]) -> Iterator[Page]:
    source = XApiSource("chatty", SETTINGS)
    client = Scripted(answers)

    class Session(requests.Session):
        def request(self, *arguments: Any, **options: Any) -> requests.Response:
            answer = client.get("")
            response = requests.Response()
            response.status_code = answer.status
            response._content = answer.body
            response.headers.update(answer.headers)
            response.request = requests.Request("GET", "https://api.x.com/").prepare()
            return response

    source._client.session = Session()
    return source.pages()


def fake_answers() -> dict[str, list[list[Any]]]:
    """Return the answers of the stand-ins: a look-up, then pages."""
    blue, mast, x_api = BlueskyServer(), MastodonServer(), XApiServer()
    name = "chatty.bsky.social"
    token = {"authorization": f"Bearer {TOKEN}"}
    look_up = mast.answer("/api/v1/accounts/lookup", {"acct": "chatty"}, {}).body
    user = x_api.answer("/2/users/by/username/chatty", {}, token).body
    found = {
        "bluesky": [
            blue.answer("/xrpc/app.bsky.actor.getProfile", {"actor": name}, {}).body,
            blue.answer("/xrpc/app.bsky.feed.getAuthorFeed", {"actor": did_of(name), "limit": "8"}, {}).body,
            blue.answer("/xrpc/app.bsky.feed.getAuthorFeed", {"actor": name, "limit": "50", "cursor": "8"}, {}).body,
        ],
        "mastodon": [look_up, *[mast.statuses_of("chatty")[start : start + 7] for start in (0, 7, 14)], []],
        "x": [user, x_api.answer(f"/2/users/{user['data']['id']}/tweets", {"max_results": "100"}, token).body],
    }
    for server in (blue, mast, x_api):
        server._http.server_close()
    return {network: [bodies] for network, bodies in found.items()}


def recorded_answers(network: str) -> list[list[Any]]:
    """Return recorded answers of the real networks, if available: each after a look-up, and in place of it."""
    folders = {"bluesky": ["bluesky"], "mastodon": ["mastodon"], "x": ["twitter-v2"]}[network]
    look_up = fake_answers()[network][0][0]
    found: list[list[Any]] = []
    for folder in folders:
        for path in sorted((DATA / "api" / folder).rglob("*.json")):
            document = json.loads(path.read_text(encoding="utf-8"))
            for entry in document if isinstance(document, list) else [document]:
                body = entry["response"]["body"] if isinstance(entry, dict) and "response" in entry else entry
                wrapped = {"feed": body if isinstance(body, list) else [body]} if network == "bluesky" else body
                found += [[look_up, wrapped], [body]]
    return found


NETWORKS: dict[str, Callable[[list[Answer]], Iterator[Page]]] = {"bluesky": bluesky, "mastodon": mastodon, "x": x}
CORPUS = {network: [*fake_answers()[network], *recorded_answers(network)] for network in NETWORKS}


def damaged(value: Any, rng: random.Random, left: list[int]) -> Any:
    """Return the value with some parts removed, doubled or replaced; `left` counts down how many."""
    if left[0] > 0 and rng.random() < 0.06:
        left[0] -= 1
        return rng.choice(ODD)
    if isinstance(value, dict):
        kept = {name: damaged(entry, rng, left) for name, entry in value.items()}
        if kept and left[0] > 0 and rng.random() < 0.1:
            left[0] -= 1
            kept.pop(rng.choice(list(kept)))
        return kept
    if isinstance(value, list):
        entries = [damaged(entry, rng, left) for entry in value[:30]]
        if entries and left[0] > 0 and rng.random() < 0.1:
            left[0] -= 1
            entries.insert(rng.randrange(len(entries)), rng.choice([*entries, *ODD]))
        return entries
    return value


def answer_of(body: Any, rng: random.Random) -> Answer:
    """Return the body mostly unchanged, sometimes as invalid JSON, with another status, or with a few bytes changed."""
    data = bytearray(json.dumps(body).encode())
    if rng.random() < 0.1 and data:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.05:
        data = data[: rng.randrange(len(data) + 1)]
    status = (
        200 if rng.random() < 0.85 else rng.choice([201, 204, 301, 400, 401, 402, 403, 404, 410, 418, 422, 429, 503])
    )
    headers = {"x-rate-limit-reset": str(rng.choice(ODD)), "ratelimit-reset": "soon"} if rng.random() < 0.3 else {}
    return Answer(status, headers, bytes(data))


def require_right(pages: Iterator[Page]) -> int:
    """Return the number of pages, each of which the database accepts. A SourceError is also correct."""
    count = 0
    try:
        for page in pages:
            count += 1
            assert count <= MAX_PAGES, "a source that never ends"
            assert page.cursor is None or page.cursor.isascii()
            assert page.total is None or page.total >= 0
            assert storable(page.note) == page.note
            for post in page.posts:
                require_right_post(post)
    except SourceError as error:
        assert str(error)[:1].isupper() or str(error)[:1] in "@abc", str(error)
        assert error.code and storable(str(error)) == str(error)
    return count


def require_right_post(post: Post) -> None:
    assert 1 <= len(post.key) <= 64 and storable(post.key) == post.key
    assert isinstance(post.text, str) and storable(post.text) == post.text
    assert post.created_at is None or post.created_at.utcoffset() == timedelta(0)
    assert not (post.is_repost and post.is_reply)


@pytest.mark.parametrize("network", NETWORKS)
def test_damaged_answers_are_pages_or_a_sentence(network: str) -> None:
    rng = random.Random(f"damaged {network}")
    seen: set[int] = set()
    for _ in range(ROUNDS):
        bodies = copy.deepcopy(rng.choice(CORPUS[network]) if rng.random() < 0.5 else CORPUS[network][0])
        budget = [rng.choice([0, 1, 1, 3, 10, 100])]
        answers = [answer_of(damaged(body, rng, budget), rng) for body in bodies]
        if rng.random() < 0.3:
            answers.append(answer_of(rng.choice([[], {}, None]), rng))
        seen.add(require_right(NETWORKS[network](answers)))
    assert {0, 1, 2} <= seen, "some rounds fail at once, some get through"


@pytest.mark.parametrize("network", NETWORKS)
def test_answers_of_any_shape_are_pages_or_a_sentence(network: str) -> None:
    rng = random.Random(f"shapes {network}")
    names = ["id", "did", "data", "feed", "post", "record", "uri", "text", "content", "cursor", "meta", "next_token"]
    names += ["error", "errors", "message", "labels", "val", "reply", "parent", "reason", "facets", "account", "reblog"]

    def shape(depth: int) -> Any:
        kind = rng.random()
        if depth == 0 or kind < 0.3:
            return rng.choice(ODD)
        if kind < 0.6:
            return [shape(depth - 1) for _ in range(rng.randrange(4))]
        return {rng.choice(names): shape(depth - 1) for _ in range(rng.randrange(6))}

    look_up = CORPUS[network][0][0]
    seen: set[int] = set()
    for _ in range(ROUNDS):
        bodies = [look_up] if rng.random() < 0.7 else []
        bodies += [shape(5) for _ in range(rng.randint(1, 3))]
        seen.add(require_right(NETWORKS[network]([Answer(200, {}, json.dumps(body).encode()) for body in bodies])))
    assert seen >= {0, 1}


@pytest.mark.parametrize("network", NETWORKS)
def test_every_recorded_answer_in_its_place_and_in_another_is_pages_or_a_sentence(network: str) -> None:
    assert CORPUS[network]
    for bodies in CORPUS[network]:
        for status in (200, 400, 401, 403, 404, 429, 500):
            answers = [Answer(200, {}, json.dumps(body).encode()) for body in bodies[:-1]]
            require_right(NETWORKS[network]([*answers, Answer(status, {}, json.dumps(bodies[-1]).encode())]))


@pytest.mark.parametrize("network", NETWORKS)
def test_bytes_that_are_no_json_are_a_sentence(network: str) -> None:
    rng = random.Random(f"bytes {network}")
    look_up = Answer(200, {}, json.dumps(CORPUS[network][0][0]).encode())
    whole = [b"", b"[" * 50_000, b'{"a":' * 50_000, b"1" * 5000, b"\xff", b"null", b'"text"', b"NaN", b"1e999"]
    for body in [*whole, *(rng.randbytes(rng.randrange(200)) for _ in range(ROUNDS))]:
        for before in ([], [look_up]):
            assert require_right(NETWORKS[network]([*before, Answer(200, {}, body)])) <= len(before)
