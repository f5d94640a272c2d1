"""Whether each approved post appears once though the worker, the broker and the line to the network keep failing.

    python -m benchmarks.faults --faults 100 --json

Runs the product as `make run` does, and a bot that posts to two servers: Bluesky's own PDS and mastodon_mock if
`make real` has installed them, else those of our tests. Meanwhile it kills the worker, the scheduler and the broker,
and breaks the line to the servers, also right after a server has accepted a post. It fails if a post is lost, appears
twice, or needs a person.
"""

from __future__ import annotations

import math
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from . import common
from .common import say

#: A day's most posts of a bot.
MOST: Final = 48
#: Processes to kill, by the pattern of their names, and how often compared to each other.
KILLED: Final = {"bf-postman": 4, "unixsocket": 4, "bf-scheduler": 1, "bf-postman|bf-scheduler|bf-web|unixsocket": 1}
#: The share of faults that are of the line.
OF_THE_LINE: Final = 0.6
#: Seconds from one fault to the next.
BETWEEN: Final = (1.5, 5.0)
#: Until everything has to be settled after the last fault.
SETTLING: Final = 40 * 60
_NOUNS: Final = ("kettle", "ladder", "violin", "spoon", "umbrella", "biscuit", "lantern", "moon", "teapot", "pillow")
_VERBS: Final = ("sings to", "waits for", "argues with", "remembers", "forgives")


@dataclass(frozen=True)
class Server:
    """A network with a line to it: what connects an account, what everybody sees there, and whether
    others wrote it."""

    network: str
    line: Any
    entered: dict[str, str]
    posts: Any
    is_real: bool


def main(arguments: Sequence[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--posts", type=int, default=MOST, help=f"posts on each server, at most {MOST}")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = run(faults=options.faults, posts=min(options.posts, MOST), seed=options.seed)
    if options.json:
        common.json_line({"benchmark": "faults", **found, "machine": common.machine()})
    else:
        common.table(("", ""), list(found.items()))
    if found["lost"] or found["twice"] or found["unsettled"]:
        raise SystemExit("Posts were lost, appeared twice or need a person.")


def run(*, faults: int, posts: int, seed: int) -> dict[str, Any]:
    """Return what came of the posts."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "botfactory.settings")
    from tests.product import Person, running

    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        servers = [stack.enter_context(_server(name, Path(place))) for name in ("bluesky", "mastodon")]
        say("starting the product")
        reached = ",".join(server.line.url for server in servers)
        product = stack.enter_context(running(Path(place) / "product", PRIVATE_SERVERS=reached))
        alice = Person(product, "alice")
        api = _Api(product, alice)
        seconds = sum(BETWEEN) / 2 * faults
        texts = _texts(posts)
        begins = _approve(api, _bot(alice), servers, texts, minutes=math.ceil(seconds / 60))
        came = _break(product, servers, chance, faults, begins)
        say("the last fault is over")
        rows = _settled(api)
        for server in servers:
            came.update({f"line: {fault}": count for fault, count in server.line.came.items()})
        seen = {server.network: Counter(text.partition("\n")[2] for text in server.posts()) for server in servers}
        late = [_moment(row["posted_at"]) - row["due"] for row in rows if row["posted_at"]]
        return {
            "real_servers": sum(server.is_real for server in servers),
            "posts": len(texts) * len(servers),
            "faults": came.total(),
            "faults_of": dict(sorted(came.items())),
            "requests_that_publish": sum(server.line.count for server in servers),
            "lost": sum(not counts[text] for counts in seen.values() for text in texts),
            "twice": sum(count > 1 for counts in seen.values() for count in counts.values()),
            "unsettled": sum(row["state"] != "posted" for row in rows) + api.accounts_in_trouble(),
            "states": dict(Counter(row["state"] for row in rows)),
            "latest_seconds": max(late, default=timedelta()).total_seconds(),
        }


@contextmanager
def _server(network: str, folder: Path) -> Iterator[Server]:
    from tests.fakes import posting_servers
    from tests.fakes.faulty_line import FaultyLine
    from tests.real import servers

    own = folder / network
    own.mkdir()
    with ExitStack() as stack:
        if not servers.missing(network):
            place = stack.enter_context({"bluesky": servers.bluesky, "mastodon": servers.mastodon}[network](own))
            line = stack.enter_context(FaultyLine(place.url))
            yield Server(network, line, {**place.entered, "server": line.url}, place.posts, True)
            return
        kinds: dict[str, Any] = {"bluesky": posting_servers.BlueskyPds, "mastodon": posting_servers.Mastodon}
        fake = stack.enter_context(kinds[network]())
        line = stack.enter_context(FaultyLine(fake.url))
        logs_in = {"identifier": "bot.test", "password": posting_servers.PASSWORD}
        entered = logs_in if network == "bluesky" else {"token": posting_servers.TOKEN}
        yield Server(network, line, {**entered, "server": line.url}, lambda: fake.posts, False)


class _Api:
    """The product's API, asked until it answers: the web process is killed, too."""

    def __init__(self, product: Any, person: Any) -> None:
        token = product.manage("token", "faults", "--owner", person.name).stdout.split()[-1]
        self._http = httpx.Client(
            base_url=f"{product.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=120
        )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        while True:
            try:
                answer = self._http.request(method, path, json=body)
            except httpx.TransportError:
                time.sleep(1)
                continue
            if answer.status_code in (429, 503):
                time.sleep(2)
                continue
            assert answer.status_code < 400, f"{method} {path}: {answer.text}"
            return answer.json()

    def publications(self) -> list[dict[str, Any]]:
        """Return where all approved posts are."""
        found = self.ask("GET", f"/proposals?state=approved&limit={MOST}")["data"]
        return [{**row, "due": _moment(each["due_at"])} for each in found for row in each["publications"]]

    def accounts_in_trouble(self) -> int:
        models = {each["model"] for each in self.ask("GET", "/proposals?limit=1")["data"]}
        accounts = [each for model in models for each in self.ask("GET", f"/queues/{model}/accounts")["data"]]
        return sum(account["state"] != "connected" for account in accounts)


def _bot(alice: Any) -> str:
    """Return the id of a small bot."""
    from tests.fakes.posts import make_posts

    job = alice.train(alice.bring_text("\n".join(make_posts(350, seed=3))), 1)
    done = alice.wait_for_state(job, "succeeded", "failed")["job"]
    assert done["state"] == "succeeded", done
    return str(done["result"]["model"])


def _texts(count: int) -> list[str]:
    pairs = [(one, verb, other) for verb in _VERBS for one in _NOUNS for other in _NOUNS if one != other]
    return [f"the {one} {verb} the {other}" for one, verb, other in pairs[:: len(pairs) // count][:count]]


def _approve(api: _Api, model: str, servers: Sequence[Server], texts: Sequence[str], *, minutes: int) -> datetime:
    """Have the bot propose as many posts, and approve them for the next minutes. Return when they begin."""
    hours = {"opens": 0, "closes": 24, "quiet_from": 0, "quiet_until": 0, "per_day": 24, "daily_maximum": MOST}
    api.ask("PATCH", f"/queues/{model}", hours)
    for server in servers:
        api.ask("POST", f"/queues/{model}/accounts", {"network": server.network, **server.entered})
    begins = (datetime.now(UTC) + timedelta(minutes=3)).replace(second=0, microsecond=0)
    assert begins.date() == (begins + timedelta(minutes=minutes)).date(), "Midnight is near. Start it later."
    left = list(enumerate(texts))
    while left:
        for proposal in api.ask("POST", f"/queues/{model}/proposals", {"n": min(20, len(left))})["data"]:
            number, text = left.pop(0)
            at = begins + timedelta(minutes=number * minutes // len(texts))
            body = {"text": text, "at": f"{at:%Y-%m-%dT%H:%M}", "sure": True}
            api.ask("POST", f"/proposals/{proposal['id']}/approve", body)
    assert datetime.now(UTC) < begins, "Approving took too long."
    return begins


def _break(
    product: Any, servers: Sequence[Server], chance: random.Random, faults: int, begins: datetime
) -> Counter[str]:
    """Break things until there were as many faults as asked. Return how often each process was killed."""
    from tests.fakes.faulty_line import LINE_FAULTS

    def kill(pattern: str = "bf-postman") -> None:
        for process in product.processes(pattern):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue

    for server in servers:
        server.line.kill = kill
    time.sleep(max(0.0, (begins - datetime.now(UTC)).total_seconds()))
    came: Counter[str] = Counter()
    for number in range(faults):
        if chance.random() < OF_THE_LINE:
            chance.choice(servers).line.faults.append(chance.choice(LINE_FAULTS))
        else:
            (pattern,) = chance.choices(list(KILLED), list(KILLED.values()))
            kill(pattern)
            came[f"killed: {pattern}"] += 1
        if number % 10 == 9:
            say(f"{number + 1} faults")
        time.sleep(chance.uniform(*BETWEEN))
    return came


def _settled(api: _Api) -> list[dict[str, Any]]:
    deadline = time.monotonic() + SETTLING
    while True:
        rows = api.publications()
        open_ones = [row for row in rows if row["state"] in ("waiting", "sending", "unknown")]
        if not open_ones or time.monotonic() > deadline:
            return rows
        time.sleep(2)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    main()
