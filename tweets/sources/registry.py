"""All sources of posts. A source is a folder beside this file and one line in `SOURCES`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

from tweets.sources.base import Source, SourceSettings
from tweets.sources.kinds import FileKind, Network, SourceKind

#: Name -> the module whose `KIND` describes it, in the order in which pages offer them.
SOURCES: Final[dict[str, str]] = {
    "file": "tweets.sources.file",
    "x_archive": "tweets.sources.x_archive",
    "bluesky": "tweets.sources.bluesky",
    "mastodon": "tweets.sources.mastodon",
    "x": "tweets.sources.x",
    "text": "tweets.sources.text",
    "demo": "tweets.sources.demo",
}


def kind_of(name: str) -> SourceKind:
    """Return the source of this name; raise ValueError if there is none."""
    if name not in SOURCES:
        raise ValueError(f"There is no source of the kind {name!r}; there are {', '.join(SOURCES)}.")
    kind = import_module(SOURCES[name]).KIND
    assert isinstance(kind, SourceKind), f"{SOURCES[name]}.KIND describes no source"
    return kind


def kinds() -> list[SourceKind]:
    """Return all sources."""
    return [kind_of(name) for name in SOURCES]


def networks() -> dict[str, Network]:
    """Return the networks by name."""
    return {kind.name: kind for kind in kinds() if isinstance(kind, Network)}


def network_of(name: str) -> Network:
    """Return the network of this name; raise ValueError if there is none."""
    kind = kind_of(name)
    if not isinstance(kind, Network):
        raise ValueError(f"{name!r} is no network; there are {', '.join(networks())}.")
    return kind


def is_network(name: str) -> bool:
    """Return whether there is a network of this name."""
    return name in SOURCES and isinstance(kind_of(name), Network)


def uploads() -> list[FileKind]:
    """Return the sources that are uploaded files."""
    return [kind for kind in kinds() if isinstance(kind, FileKind) and kind.is_upload]


def detect_kind(file_name: str, head: bytes) -> str:
    """Return which source an uploaded file is, by its name and its first bytes (64 or more)."""
    files = uploads()
    for kind in files:
        if kind.recognizes is not None and kind.recognizes(file_name, head):
            return kind.name
    return next(kind.name for kind in files if kind.recognizes is None)


def open_source(name: str, *, path: Path | None = None, handle: str | None = None, settings: SourceSettings) -> Source:
    """Return a source that hasn't read anything yet. A file needs its path, a network the handle of an account.

    Raises ValueError for an unknown name, and if the path or the handle is missing.
    """
    kind = kind_of(name)
    if isinstance(kind, Network):
        if not handle:
            raise ValueError("This kind of source needs a handle.")
        return kind.open(handle, settings)
    if path is None:
        raise ValueError("This kind of source needs the path of a file.")
    assert isinstance(kind, FileKind)
    return kind.open(path, settings)
