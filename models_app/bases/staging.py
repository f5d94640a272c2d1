"""An uploaded file on its way to the job that reads it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job


@contextmanager
def staged(uploaded: IO[bytes] | None, name: str) -> Iterator[Callable[[Job], None]]:
    """Write the file outside of any transaction, and yield what moves it into a job's folder, under this name.

    Call that in the transaction that submits the job: after the commit, a worker can claim it. Without a file, it does
    nothing. What isn't handed over is deleted.
    """
    # In the uploads folder, where leftovers are swept.
    folder = Path(settings.UPLOADS_DIR) / str(uuid.uuid4())

    def hand_over(job: Job) -> None:
        if uploaded is not None:
            target = work_dir(job)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder, target)

    try:
        if uploaded is not None:
            # SQLite has only one writer, and the file can be large.
            path = folder / name
            path.parent.mkdir(parents=True)
            with path.open("wb") as kept:
                shutil.copyfileobj(uploaded, kept)
        yield hand_over
    finally:
        shutil.rmtree(folder, ignore_errors=True)
