"""What a runner sees of its job: it reports, it asks whether to go on, and it has a folder to work in."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from botfactory.jobs import events, turns
from botfactory.jobs.errors import JobCancelled, LostClaim
from botfactory.jobs.models import Job
from botfactory.jobs.states import HELD, State

logger = logging.getLogger(__name__)

Control = Literal["go", "stop", "cancel"]
Listener = Callable[[str, dict[str, Any]], None]

#: How often the flags of the row are read, in seconds: the longest wait between pressing Cancel and its effect.
LOOK_SECONDS = 0.5


def work_dir(job: Job) -> Path:
    """The folder in which a job keeps what the next attempt goes on from."""
    return Path(settings.JOBS_DIR) / str(job.pk)


def discard_work_dir(job: Job) -> None:
    shutil.rmtree(work_dir(job), ignore_errors=True)


class JobHandle:
    """One attempt at a job. As a context manager it keeps the heartbeat going from a thread of its own."""

    def __init__(self, job: Job, *, listener: Listener | None = None) -> None:
        self.job = job
        self.attempt = job.attempt
        self._listener = listener
        self._control: Control = "go"
        self._lost = False
        self._awaited = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{job.pk}", daemon=True)

    @property
    def work_dir(self) -> Path:
        path = work_dir(self.job)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def control(self) -> Control:
        """Whether to go on, to stop and keep the best, or to cancel. Cheap: ask between batches."""
        if self._lost:
            raise LostClaim(f"Job {self.job.pk} is held by another worker.")
        return self._control

    def is_awaited(self) -> bool:
        """Whether the job, one that gives way, should stop and come back later, for somebody waits. As cheap."""
        return self._awaited

    def check(self) -> None:
        """Returns while the job may go on; raises JobCancelled once its owner wants no more of it."""
        if self.control() == "cancel":
            raise JobCancelled("Cancelled.")

    def record(self, kind: str, payload: dict[str, Any]) -> None:
        """The event is in the database and on its way to the pages."""
        self.control()
        events.record(self.job, kind, payload)
        if self._listener:
            self._listener(kind, payload)

    def progress(self, payload: dict[str, Any]) -> None:
        """The job's progress is `payload` (not an event: only the newest counts). At most a few times a second."""
        held = Job.objects.filter(pk=self.job.pk, attempt=self.attempt, state__in=HELD)
        if not held.update(progress=payload):
            self._lost = True
        self.control()
        self.job.refresh_from_db()
        events.publish(self.job)
        if self._listener:
            self._listener("progress", payload)

    def __enter__(self) -> JobHandle:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        row = Job.objects.filter(pk=self.job.pk).values("state", "stop_requested", "attempt").first()
        if row is None or row["attempt"] != self.attempt or row["state"] not in HELD:
            self._lost = True
        elif row["state"] == State.CANCELLING:
            self._control = "cancel"
        elif row["stop_requested"]:
            self._control = "stop"
        else:
            self._awaited = turns.is_awaited(self.job)

    def _beat(self) -> None:
        looks_per_beat = max(1, int(settings.JOB_HEARTBEAT_SECONDS / LOOK_SECONDS))
        looks = 0
        try:
            while not self._done.wait(LOOK_SECONDS):
                looks += 1
                try:
                    if looks % looks_per_beat == 0:
                        held = Job.objects.filter(pk=self.job.pk, attempt=self.attempt, state__in=HELD)
                        held.update(heartbeat_at=timezone.now())
                    self._look()
                except DatabaseError as error:
                    logger.warning("job %s: the heartbeat missed a beat (%s)", self.job.pk, error)
                    connection.close()
        finally:
            connection.close()
