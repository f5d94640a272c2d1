"""What a runner sees of its job: where to report, whether to continue, and a folder to work in."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from botfactory.files.folders import remove_when_committed
from botfactory.jobs import events, turns
from botfactory.jobs.errors import JobCancelled, LostClaim
from botfactory.jobs.models import Job
from botfactory.jobs.states import CLAIMABLE, HELD, State

logger = logging.getLogger(__name__)

Control = Literal["go", "stop", "cancel"]
Listener = Callable[[str, dict[str, Any]], None]

#: Seconds between two looks at the row's flags, and so the longest wait between Cancel and its effect.
LOOK_SECONDS = 0.5


#: The folder of one attempt, in the folder of its job.
ATTEMPT = "attempt-"
#: How folders in JOBS_DIR begin whose job isn't submitted yet.
STAGED = "."


def work_dir(job: Job) -> Path:
    """Return the folder of a job. Each attempt has one of its own in it; what is put here goes to the first."""
    return Path(settings.JOBS_DIR) / str(job.pk)


def discard_work_dir(job: Job) -> None:
    """Delete the folder of a job, with those of all its attempts, once the transaction is committed."""
    remove_when_committed(work_dir(job))


def take_over_files(earlier: Job, job: Job) -> bool:
    """Give a new job what the attempts at an earlier one have kept, which has ended; return whether there was any.

    Call it in the transaction that submits the job.
    """
    kept = _newest_attempt(work_dir(earlier), before=earlier.attempt + 1)
    if kept is None:
        return False
    work_dir(job).mkdir(parents=True, exist_ok=True)
    kept.rename(work_dir(job) / f"{ATTEMPT}0")
    return True


def _newest_attempt(folder: Path, *, before: int) -> Path | None:
    """Return the folder of the newest attempt before attempt `before`; None if there is none."""
    found = [(int(path.name.removeprefix(ATTEMPT)), path) for path in folder.glob(f"{ATTEMPT}*")]
    earlier = [(number, path) for number, path in found if number < before]
    return max(earlier)[1] if earlier else None


def _let_go_when_stopped() -> None:
    """Have Postgres end this transaction and free its locks, if its process hangs until the job counts as stale.

    Otherwise, whoever finds the job abandoned would wait for the locks forever.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{int(settings.JOB_STALE_SECONDS)}s'")


def _holds_back_its_owner(job: Job) -> bool:
    """Return whether a job that gives way keeps another of its owner's waiting, because it counts as running."""
    if job.priority >= 0:
        return False
    others = Job.objects.filter(owner=job.owner_id, state__in=CLAIMABLE, priority__gt=job.priority)
    long_since = others.filter(available_at__lte=timezone.now() - turns.TAKEN_WITHIN)
    return long_since.exists() and turns.is_at_limit(job.owner_id)


class JobHandle:
    """One attempt at a job. As a context manager it keeps the heartbeat going from a thread of its own."""

    def __init__(self, job: Job, *, listener: Listener | None = None) -> None:
        self.job = job
        self.attempt = job.attempt
        self._listener = listener
        self._folder: Path | None = None
        self._control: Control = "go"
        self._lost = False
        self._should_yield = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{job.pk}", daemon=True)

    @property
    def work_dir(self) -> Path:
        """Return the folder of this attempt, with all that the previous one has kept; LostClaim as `fenced`.

        It takes over that attempt's folder by renaming it. A worker that was presumed dead and returns then writes
        into a folder that nobody reads.
        """
        if self._folder is None:
            with self.fenced():
                self._folder = self._take_over()
        return self._folder

    def _take_over(self) -> Path:
        folder = work_dir(self.job)
        mine = folder / f"{ATTEMPT}{self.attempt}"
        if not mine.exists():
            earlier = _newest_attempt(folder, before=self.attempt)
            if earlier is not None:
                earlier.rename(mine)
            mine.mkdir(parents=True, exist_ok=True)
        # Files that were submitted with the job, and work of attempts by earlier versions.
        for entry in folder.iterdir():
            if not entry.name.startswith(ATTEMPT):
                entry.rename(mine / entry.name)
        return mine

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """Run a block in a transaction that is committed only if this attempt still holds the job.

        Everything that a runner writes belongs in one. The job's row stays locked until the commit, so no other
        attempt can begin meanwhile, and changes to files inside are as safe. Raises LostClaim before the block if
        another attempt holds the job, or if it has ended or is deleted.
        """
        with transaction.atomic():
            _let_go_when_stopped()
            held = Job.objects.filter(pk=self.job.pk, attempt=self.attempt, state__in=HELD)
            if not held.update(heartbeat_at=timezone.now()):
                self._lost = True
                self.control()
            yield

    def control(self) -> Control:
        """Return whether to continue, to stop and keep the best, or to cancel. Cheap: call it between batches."""
        if self._lost:
            raise LostClaim(f"Job {self.job.pk} is held by another worker.")
        return self._control

    def should_yield(self) -> bool:
        """Return whether a preemptible job should stop and come back later, because somebody waits. As cheap."""
        return self._should_yield

    def give_way(self) -> None:
        """Let others go first from now on, as a preemptible job does (`should_yield`); LostClaim as `fenced`."""
        with self.fenced():
            Job.objects.filter(pk=self.job.pk).update(priority=-1)
        self.job.refresh_from_db()
        self._look()

    def check(self) -> None:
        """Raise JobCancelled if the owner has cancelled the job."""
        if self.control() == "cancel":
            raise JobCancelled("Cancelled.")

    def record(self, kind: str, payload: dict[str, Any]) -> None:
        """Record an event of this attempt and publish it; LostClaim as `fenced`.

        It shows that the job gets on, unless its kind is in events.NO_PROGRESS.
        """
        self.control()
        with self.fenced():
            events.record(self.job, kind, payload)
        if self._listener:
            self._listener(kind, payload)

    def progress(self, payload: dict[str, Any]) -> None:
        """Set the job's progress (not an event: only the newest counts). Call it at most a few times a second."""
        held = Job.objects.filter(pk=self.job.pk, attempt=self.attempt, state__in=HELD)
        if not held.update(progress=payload):
            self._lost = True
        self.control()
        self.job.refresh_from_db()
        events.publish(self.job)
        if self._listener:
            self._listener("progress", payload)

    def saved(self) -> None:
        """Note that the next attempt will continue from here, so earlier losses of the worker no longer count.

        Call it where no event shows that the job gets on.
        """
        if self.job.interruptions:
            with self.fenced():
                Job.objects.filter(pk=self.job.pk).update(interruptions=0)
            self.job.interruptions = 0

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
            self._should_yield = turns.should_yield(self.job) or _holds_back_its_owner(self.job)

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
                except Exception as error:
                    # The next beat may go well. If the thread ended here, the job would be lost for nothing.
                    logger.warning("job %s: the heartbeat missed a beat (%s)", self.job.pk, error)
                    with contextlib.suppress(Exception):
                        connection.close()
        finally:
            connection.close()
