"""Where posts come from. A source is one file here and one line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tweets.sources.base import Page, Post, Source, SourceError, SourceSettings

if TYPE_CHECKING:
    from tweets.sources.x.reader import XAccount

__all__ = [
    "SOURCES",
    "Page",
    "Post",
    "Source",
    "SourceError",
    "SourceSettings",
    "detect_kind",
    "look_up",
    "open_source",
]

Opener = Callable[[Path | None, str | None, SourceSettings], Source]


# The imports are late: a web process that only lists the kinds loads neither tweepy nor a parser.
def _text(path: Path | None, handle: str | None, settings: SourceSettings) -> Source:
    from tweets.sources.file.reader import UploadSource

    return UploadSource(_given(path), settings, plain=True)


def _file(path: Path | None, handle: str | None, settings: SourceSettings) -> Source:
    from tweets.sources.file.reader import UploadSource

    return UploadSource(_given(path), settings)


def _x_archive(path: Path | None, handle: str | None, settings: SourceSettings) -> Source:
    from tweets.sources.x_archive.reader import XArchiveSource

    return XArchiveSource(_given(path), settings)


def _bluesky(path: Path | None, handle: str | None, settings: SourceSettings) -> Source:
    from tweets.sources.bluesky.reader import BlueskySource

    return BlueskySource(_named(handle), settings)


def _mastodon(path: Path | None, handle: str | None, settings: SourceSettings) -> Source:
    from tweets.sources.mastodon.reader import MastodonSource

    return MastodonSource(_named(handle), settings)


def _x(path: Path | None, handle: str | None, settings: SourceSettings) -> Source:
    from tweets.sources.x.reader import XApiSource

    return XApiSource(_named(handle), settings)


SOURCES: dict[str, Opener] = {
    "text": _text,
    "file": _file,
    "x_archive": _x_archive,
    "bluesky": _bluesky,
    "mastodon": _mastodon,
    "x": _x,
}


def open_source(kind: str, *, path: Path | None = None, handle: str | None = None, settings: SourceSettings) -> Source:
    """A source of the kind, nothing read yet. Kinds "text", "file" and "x_archive" need a path, the others a handle.

    Raises ValueError for an unknown kind or where the path or the handle is missing.
    """
    if kind not in SOURCES:
        raise ValueError(f"There is no source of the kind {kind!r}; there are {', '.join(SOURCES)}.")
    return SOURCES[kind](path, handle, settings)


def look_up(handle: str, settings: SourceSettings) -> XAccount:
    """An account of X, looked up before any of its posts is bought; that alone costs `settings.x_user_price`."""
    from tweets.sources.x.reader import XApiSource

    return XApiSource(handle, settings).look_up()


def detect_kind(filename: str, head: bytes) -> str:
    """ "x_archive" or "file", from an uploaded file's name and its first bytes (64 or more).

    Every zip and every .js file counts as an archive: the archive's reader says best what is wrong with another one.
    """
    beginning = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PK\x03\x04") or beginning.startswith((b"window.YTD.", b"Grailbird.data.")):
        return "x_archive"
    return "x_archive" if filename.lower().endswith((".zip", ".js")) else "file"


def _given(path: Path | None) -> Path:
    if path is None:
        raise ValueError("This kind of source needs the path of a file.")
    return path


def _named(handle: str | None) -> str:
    if not handle:
        raise ValueError("This kind of source needs a handle.")
    return handle
