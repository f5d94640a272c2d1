"""Posts in X archives, read by the product's own source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tweets.preparation.batch import Batch, batch_of
from tweets.preparation.errors import PreparationError
from tweets.preparation.reading.objects import flags_of
from tweets.preparation.reading.packed import Meter
from tweets.sources.base import SourceError, SourceSettings
from tweets.sources.registry import kind_of

_BATCH: Final = 20_000
_NO_LIMIT: Final = 1 << 50


def batches(path: Path, meter: Meter) -> Iterator[Batch]:
    """Yield the posts of an archive. Their author is its owner, or, if it doesn't say who that is, the file."""
    from tweets.sources.kinds import FileKind

    kind = kind_of("x_archive")
    assert isinstance(kind, FileKind)
    settings = SourceSettings(page_size=_BATCH, max_archive_bytes=_NO_LIMIT)
    try:
        owner = kind.owner_of(path) if kind.owner_of else None
        author = owner.handle if owner else path.name
        for page in kind.open(path, settings).pages():
            texts = [post.text for post in page.posts]
            yield batch_of(texts, [author] * len(texts), flags_of(page.posts))
            meter(0)
    except SourceError as error:
        raise PreparationError(f"{path}: {error}") from error
    meter(path.stat().st_size)
