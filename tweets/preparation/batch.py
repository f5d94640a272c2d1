"""Posts as they travel from a reader to the process that cleans them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REPOST: Final = 1
REPLY: Final = 2
QUOTE: Final = 4
WARNING: Final = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Some posts of one input, without NULs in them.

    - `texts`: the posts, joined by NUL, because one long text passes between processes faster than a list
    - `count`: their number
    - `authors`: the same for the authors, "" for an unknown one; None if none is known
    - `flags`: a byte for each post, of the bits above; None if the source says nothing of the kind
    """

    texts: str
    count: int
    authors: str | None = None
    flags: bytes | None = None


def batch_of(texts: list[str], authors: list[str] | None = None, flags: bytes | None = None) -> Batch:
    """Return the batch of these posts. NULs in them become spaces."""
    return Batch(_joined(texts), len(texts), None if authors is None else _joined(authors), flags)


def _joined(parts: list[str]) -> str:
    joined = "\x00".join(parts)
    if joined.count("\x00") >= len(parts) > 0:
        joined = "\x00".join([part.replace("\x00", " ") for part in parts])
    return joined
