"""A file of posts in a common format: text, table or JSON."""

from __future__ import annotations

from pathlib import Path

from botfactory.words.translatable import mark
from tweets.sources.base import Source, SourceSettings
from tweets.sources.kinds import FileKind


def _open(path: Path, settings: SourceSettings) -> Source:
    from tweets.sources.file.reader import UploadSource

    return UploadSource(path, settings)


KIND = FileKind(
    name="file",
    label=mark("file"),
    offer=mark("a text, CSV or JSON file"),
    origin=mark("From %(file)s"),
    at_terminal="a .txt, .csv, .json or .jsonl file",
    open=_open,
    hint=mark("A .txt file with one post on each line, or a .csv, .json or .jsonl file."),
    endings=(".txt", ".csv", ".json", ".jsonl", ".ndjson", ".gz"),
)
