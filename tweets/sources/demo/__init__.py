"""An example: the posts of Mrs. Kettle, whom we invented to try Bot Factory with. `posts.txt` has one on each line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from botfactory.words.translatable import mark
from tweets.sources.base import Source, SourceSettings
from tweets.sources.kinds import FileKind

#: Who seems to have written the posts. A name isn't translated.
PERSON: Final = "Mrs. Kettle"
POSTS: Final = Path(__file__).with_name("posts.txt")


def _open(path: Path, settings: SourceSettings) -> Source:
    from tweets.sources.file.reader import UploadSource

    return UploadSource(path, settings, plain=True)


KIND = FileKind(
    name="demo",
    label=mark("example"),
    offer=mark("an example"),
    origin=mark("An example: posts of an invented person"),
    at_terminal="",
    open=_open,
    is_example=True,
)
