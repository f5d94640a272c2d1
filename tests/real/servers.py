"""The servers of other projects that `make real` installs into .real: Bluesky's own PDS, and mastodon_mock."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.product import ROOT, free_port, wait_for

REAL: Final = ROOT / ".real"
HANDLE: Final = "teapot.test"
_MOCK: Final = REAL / "venv/bin/mastodon_mock"


@dataclass(frozen=True)
class Place:
    """A server with an account for the bot, and what a person enters to connect it."""

    url: str
    entered: dict[str, str]

    def posts(self) -> list[str]:
        """Return the texts that everybody sees there."""
        if "token" in self.entered:
            own = {"Authorization": f"Bearer {self.entered['token']}"}
            account = httpx.get(f"{self.url}/api/v1/accounts/verify_credentials", headers=own).json()["id"]
            return [_text(status["content"]) for status in self._statuses(account, own)]
        query: dict[str, str | int] = {"repo": HANDLE, "collection": "app.bsky.feed.post", "limit": 100}
        found = httpx.get(f"{self.url}/xrpc/com.atproto.repo.listRecords", params=query)
        return [record["value"]["text"] for record in found.raise_for_status().json()["records"]]

    def _statuses(self, account: str, own: dict[str, str]) -> Iterator[dict[str, str]]:
        query: dict[str, str | int] = {"limit": 40}
        while True:
            found = httpx.get(f"{self.url}/api/v1/accounts/{account}/statuses", params=query, headers=own)
            page = found.raise_for_status().json()
            yield from page
            if len(page) < 40:
                return
            query["max_id"] = page[-1]["id"]


def missing(network: str) -> str:
    """Return why a server can't run here, or ""."""
    if network == "bluesky":
        is_there = shutil.which("node") and (REAL / "node_modules/@atproto/pds").is_dir()
    else:
        is_there = _MOCK.exists()
    return "" if is_there else "not installed: make real"


def _text(content: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<br\s*/?>|</p>\s*<p>", "\n", content)))


@contextmanager
def bluesky(folder: Path) -> Iterator[Place]:
    """Run a PDS with an account and an app password."""
    port = free_port()
    script = Path(__file__).with_name("pds.mjs")
    with _running(["node", str(script), str(REAL), str(folder), str(port)], folder, port) as url:
        asked = {"email": "bot@example.com", "handle": HANDLE, "password": "a-main-password"}
        session = _asked(f"{url}/xrpc/com.atproto.server.createAccount", asked)
        token = {"Authorization": f"Bearer {session['accessJwt']}"}
        made = _asked(f"{url}/xrpc/com.atproto.server.createAppPassword", {"name": "Bot Factory"}, token)
        yield Place(url, {"identifier": HANDLE, "password": made["password"], "server": url})


@contextmanager
def mastodon(folder: Path) -> Iterator[Place]:
    """Run a Mastodon API with an account and an access token."""
    port = free_port()
    command = [str(_MOCK), "serve", "--in-memory", "--port", str(port)]
    with _running(command, folder, port) as url:
        # The mock reads a form here. Mastodon also reads JSON, which we send.
        own = {"Authorization": "Bearer mock_token"}
        httpx.patch(f"{url}/api/v1/accounts/update_credentials", data={"bot": "true"}, headers=own).raise_for_status()
        yield Place(url, {"server": url, "token": "mock_token"})


def _asked(url: str, body: dict[str, str], headers: dict[str, str] | None = None) -> dict[str, str]:
    answer = httpx.post(url, json=body, headers=headers, timeout=60).raise_for_status()
    found: dict[str, str] = answer.json()
    return found


@contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[str]:
    url = f"http://localhost:{port}"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:

            def answers() -> bool:
                assert process.poll() is None, (folder / "server.log").read_text(errors="replace")
                try:
                    return httpx.get(url).status_code < 500
                except httpx.TransportError:
                    return False

            wait_for(f"{command[0]} to answer", answers, 120)
            yield url
        finally:
            process.terminate()
            process.wait(20)
