"""Where request bodies and uploads lie while they arrive: in the product's own home, swept when it starts."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.handlers.asgi import ASGIHandler

#: While another process serves too, only what is older than this can't belong to it.
_ABANDONED_SECONDS: Final = 24 * 3600
_LOCK: Final = ".lock"


def folder() -> Path:
    """Return the folder, made where it is missing."""
    path = Path(settings.FILE_UPLOAD_TEMP_DIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def sweep() -> IO[str]:
    """Delete what a killed process has left, and return the lock that says that this one serves.

    The lock is shared by all processes that serve from this folder. Keep it open for as long as this one does.
    """
    path = folder()
    lock = (path / _LOCK).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        newest = float("inf")
    except OSError:
        newest = time.time() - _ABANDONED_SECONDS
    for entry in path.iterdir():
        if entry.name != _LOCK and entry.lstat().st_mtime < newest:
            _remove(entry)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


class UploadHandler(TemporaryFileUploadHandler):
    """Django's own, with the folder made where it is missing."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        folder()
        super().new_file(*args, **kwargs)


class Handler(ASGIHandler):
    """Django's own, but a large body waits in our folder and not in the system's."""

    async def read_body(self, receive: Any) -> IO[bytes]:
        body: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115
            max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, mode="w+b", dir=str(folder())
        )
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RequestAborted
                body.write(message.get("body", b""))
                more = message.get("more_body", False)
            body.seek(0)
        except BaseException:
            body.close()
            raise
        return body
