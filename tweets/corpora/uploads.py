"""The uploaded file of a corpus, in a folder of its own until its posts are in the database."""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.utils.translation import gettext as _

from botfactory.files import folders
from tweets.corpora import amounts
from tweets.corpora.errors import UploadTooLarge
from tweets.models import Corpus

_BLOCK = 1024 * 1024
#: After this time, an upload without a corpus won't get one.
SWEPT_AFTER: Final = timedelta(hours=1)


def folder_of(corpus: Corpus) -> Path:
    """Return the folder of the upload."""
    return Path(settings.UPLOADS_DIR) / str(corpus.pk)


def file_of(corpus: Corpus) -> Path | None:
    """Return the uploaded file, or None once it is deleted."""
    folder = folder_of(corpus)
    return next(iter(sorted(folder.iterdir())), None) if folder.is_dir() else None


def size_of(corpus: Corpus) -> int:
    """Return the bytes of the upload, 0 without one."""
    return sum(path.stat().st_size for path in folder_of(corpus).glob("*"))


def keep(corpus: Corpus, file: BinaryIO, file_name: str, *, head: bytes = b"") -> None:
    """Store the file: `head`, which has already been read, and the rest. If that fails, delete what was written.

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
    """Delete the upload of a corpus that has no row."""
    shutil.rmtree(folder_of(corpus), ignore_errors=True)


def remove_when_committed(corpus: Corpus) -> None:
    """Delete the upload once the transaction is committed."""
    folders.remove_when_committed(folder_of(corpus))


def without_corpus() -> set[uuid.UUID]:
    """Return the ids of uploads without a corpus: it has been deleted, or is being created right now."""
    return _kept() - set(Corpus.objects.values_list("pk", flat=True))


def sweep() -> None:
    """Delete uploads whose corpus was deleted by a process that was killed before it deleted the file."""
    for number in without_corpus():
        folder = Path(settings.UPLOADS_DIR) / str(number)
        with suppress(FileNotFoundError):
            # A newer one may belong to a corpus that is being created.
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
                    _(
                        "The file is larger than %(most)s MB, the most that you can upload here. From an X archive, "
                        "data/tweets.js alone is enough."
                    )
                    % {"most": amounts.grouped(settings.MAX_UPLOAD_MB)}
                )
            target.write(block)


def _suffixes(file_name: str) -> str:
    """Return the endings that say how to read the file, such as `.jsonl.gz`. The rest of its name isn't stored."""
    endings = [s.lower() for s in Path(file_name).suffixes[-2:] if s[1:].isalnum() and len(s) <= 8]
    return "".join(endings)
