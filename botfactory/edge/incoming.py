"""How requests come in: the folder for their bodies while they arrive, and whether their senders still wait.

The folder is in the product's home, and swept at start.
"""

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

from botfactory.web.disconnect import CLIENT, Client

#: While another process is serving too, only older files are certainly not its own.
_ABANDONED_SECONDS: Final = 24 * 3600
_LOCK: Final = ".lock"


def folder() -> Path:
    """Return the folder, and create it if it is missing."""
    path = Path(settings.FILE_UPLOAD_TEMP_DIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def sweep() -> IO[str]:
    """Delete what a killed process left behind, and return a lock that shows that this process is serving.

    All processes that serve from this folder share the lock. Keep it open while this process serves.
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
    """Django's handler, except that it creates the folder if it is missing."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        folder()
        super().new_file(*args, **kwargs)


class Handler(ASGIHandler):
    """Django's handler, except that large bodies are stored in our folder, and that each request has a Client."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        client = scope[CLIENT] = Client()

        async def listening() -> Any:
            message = await receive()
            if message["type"] == "http.disconnect":
                client.leave()
            return message

        try:
            await super().__call__(scope, listening, send)
        finally:
            client.leave()

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
