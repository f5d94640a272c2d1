"""A pasted text with one post on each line. It is read like a .txt file."""

from __future__ import annotations

from pathlib import Path

from botfactory.words.translatable import mark
from tweets.sources.base import Source, SourceSettings
from tweets.sources.kinds import FileKind


def _open(path: Path, settings: SourceSettings) -> Source:
    from tweets.sources.file.reader import UploadSource

    return UploadSource(path, settings, plain=True)


KIND = FileKind(
    name="text",
    label=mark("pasted text"),
    offer=mark("pasted text"),
    origin=mark("Pasted text"),
    at_terminal="",
    open=_open,
    is_pasted=True,
)
