"""The file that a corpus was brought as, kept in a folder of its own until its posts are in the database."""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings

from botfactory import folders
from tweets.errors import UploadTooLarge
from tweets.models import Corpus

_BLOCK = 1024 * 1024
#: An upload that has had no corpus for so long will get none.
SWEPT_AFTER: Final = timedelta(hours=1)


def folder_of(corpus: Corpus) -> Path:
    return Path(settings.UPLOADS_DIR) / str(corpus.pk)


def file_of(corpus: Corpus) -> Path | None:
    """The uploaded file, while it is kept."""
    folder = folder_of(corpus)
    return next(iter(sorted(folder.iterdir())), None) if folder.is_dir() else None


def size_of(corpus: Corpus) -> int:
    """How many bytes it takes; 0 where nothing is kept."""
    return sum(path.stat().st_size for path in folder_of(corpus).glob("*"))


def keep(corpus: Corpus, file: BinaryIO, file_name: str, *, head: bytes = b"") -> None:
    """The file is kept: `head`, which has been read already, and what follows. Nothing of it is, where that fails.

    Raises UploadTooLarge above MAX_UPLOAD_MB.
    """
    folder = folder_of(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _write(file, head, folder / f"upload{_suffixes(file_name)}")
    except BaseException:
        remove(corpus)
        raise


def remove(corpus: Corpus) -> None:
    """It is gone, if it was there: for a corpus that has no row."""
    shutil.rmtree(folder_of(corpus), ignore_errors=True)


def remove_when_committed(corpus: Corpus) -> None:
    """It is gone, if it was there, once the transaction is committed."""
    folders.remove_when_committed(folder_of(corpus))


def without_corpus() -> set[uuid.UUID]:
    """The ids under which uploads are kept that no corpus has: it is deleted, or is being made just now."""
    return _kept() - set(Corpus.objects.values_list("pk", flat=True))


def sweep() -> None:
    """Uploads whose corpus was deleted, but not they, are gone: whoever did that was killed in between."""
    for number in without_corpus():
        folder = Path(settings.UPLOADS_DIR) / str(number)
        with suppress(FileNotFoundError):
            # One that is newer may belong to a corpus whose row comes next.
            if time.time() - folder.stat().st_mtime > SWEPT_AFTER.total_seconds():
                shutil.rmtree(folder, ignore_errors=True)


def _kept() -> set[uuid.UUID]:
    folder = Path(settings.UPLOADS_DIR)
    found = set()
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(ValueError):
            found.add(uuid.UUID(path.name))
    return found


def _write(file: BinaryIO, head: bytes, path: Path) -> None:
    limit = settings.MAX_UPLOAD_MB * 1024 * 1024
    written = len(head)
    with path.open("wb") as target:
        target.write(head)
        while block := file.read(_BLOCK):
            written += len(block)
            if written > limit:
                raise UploadTooLarge(
                    f"The file is larger than the {settings.MAX_UPLOAD_MB:,} MB that are allowed here. "
                    "Of an X archive, data/tweets.js alone is enough."
                )
            target.write(block)


def _suffixes(file_name: str) -> str:
    """The ending that says how to read the file, such as `.jsonl.gz`; nothing else of a name reaches the disk."""
    endings = [s.lower() for s in Path(file_name).suffixes[-2:] if s[1:].isalnum() and len(s) <= 8]
    return "".join(endings)
