"""A local server that answers like the Hugging Face Hub, for one repository: its API, its files, and their faults."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.fakes.server import Answer, FakeServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "maker/Tiny-1M"


class HubServer(FakeServer):
    """Serves the files of a folder as REPOSITORY at COMMIT. As on the hub, weights come from another address.

    Its attributes are its faults: `renamed`, the name that the repository had before, and `elsewhere`, the server that
    it moved to; `gated`; `cut`, the files whose download stops halfway each time; `changed`, other contents of files;
    `sizes`, what it says of them; `status`, of each answer; `pause`, seconds after each tenth of a file; `ranges`,
    whether it can begin in the middle.
    """

    def __init__(self, folder: Path, *, any_name: bool = False) -> None:
        """With `any_name`, the repository has every name, and each revision is COMMIT."""
        super().__init__()
        self.folder = folder
        self.any_name = any_name
        self.renamed = self.elsewhere = ""
        self.gated: bool | str = False
        self.cut: set[str] = set()
        self.changed: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.card: dict[str, Any] = {"license": "apache-2.0", "language": ["en", "de"]}
        self.status = 200
        self.pause = 0.0
        self.ranges = True
        self.commit = COMMIT
        self.repository = REPOSITORY

    def asked(self, beginning: str) -> list[str]:
        """Return the Range of each request whose path begins so; "" without one."""
        return [one.headers.get("range", "") for one in self.requests if one.path.startswith(beginning)]

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        if self.any_name and path.startswith("/api/models/"):
            return self._about()
        if self.status != 200:
            return Answer(self.status, "Sorry.")
        if self.renamed and self.renamed in path:
            return Answer(307, "", {"Location": self.elsewhere + path.replace(self.renamed, self.repository)})
        if found := re.fullmatch(rf"/api/models/{self.repository}/revision/(.+)", path):
            return self._about() if unquote(found[1]) in ("main", self.commit) else self._missing("RevisionNotFound")
        if found := re.fullmatch(rf"/{self.repository}/resolve/{self.commit}/(.+)", path):
            name = unquote(found[1])
            if self.gated:
                return Answer(401, "Access is restricted.", {"X-Error-Code": "GatedRepo"})
            if not (self.folder / name).is_file():
                return self._missing("EntryNotFound")
            if self._is_large(name):
                return Answer(302, "", {"Location": f"/cdn/{name}"})
            return self._file(name, headers)
        if path.startswith("/cdn/"):
            return self._file(path.removeprefix("/cdn/"), headers)
        return Answer(401, {"error": "Invalid username or password."}, {"X-Error-Code": "RepoNotFound"})

    def _missing(self, code: str) -> Answer:
        return Answer(404, {"error": code}, {"X-Error-Code": code})

    def _is_large(self, name: str) -> bool:
        return name.endswith(".safetensors")

    def _about(self) -> Answer:
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        return Answer(
            200,
            {
                "id": self.repository,
                "sha": self.commit,
                "private": False,
                "gated": self.gated,
                "cardData": self.card,
                "siblings": [self._sibling(path) for path in files],
            },
        )

    def _sibling(self, path: Path) -> dict[str, Any]:
        data = path.read_bytes()
        size = self.sizes.get(path.name, len(data))
        git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        about: dict[str, Any] = {"rfilename": path.name, "size": size, "blobId": git}
        if self._is_large(path.name):
            about["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": size, "pointerSize": 134}
        return about

    def _file(self, name: str, headers: Mapping[str, str]) -> Answer:
        data = self.changed.get(name, (self.folder / name).read_bytes())
        status, told = 200, {}
        if self.ranges and (found := re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))):
            begin = int(found[1])
            if begin >= len(data):
                return Answer(416, "", {"Content-Range": f"bytes */{len(data)}"})
            status, told = 206, {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
            data = data[begin:]
        return Answer(status, data, told, cut=name in self.cut and len(data) > 1, pause=self.pause)
