"""Read a file as its source does."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.tweets.sources.helpers import posts_of
from tweets.sources import Post, SourceSettings, open_source

SETTINGS = SourceSettings(page_size=7)
SUFFIXES = [".txt", ".csv", ".jsonl", ".ndjson", ".json", ".txt.gz", ".jsonl.gz", ""]


def read(tmp_path: Path, name: str, content: bytes | str, limits: SourceSettings = SETTINGS) -> list[Post]:
    path = tmp_path / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return posts_of(open_source("file", path=path, settings=limits).pages())


def texts(posts: list[Post]) -> list[str]:
    return [post.text for post in posts]
