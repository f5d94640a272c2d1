"""Work folders of jobs, for tests that look into them."""

from __future__ import annotations

from pathlib import Path

from botfactory.jobs.handle import ATTEMPT, work_dir
from botfactory.jobs.models import Job


def kept_dir(job: Job) -> Path:
    """Return the folder that the next attempt continues from: that of the newest attempt, else the job's own."""
    attempts = work_dir(job).glob(f"{ATTEMPT}*")
    return max(attempts, key=lambda path: int(path.name.removeprefix(ATTEMPT)), default=work_dir(job))
