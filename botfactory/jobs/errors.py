"""What can go wrong with a job, as sentences for its owner."""

from __future__ import annotations

from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded


class JobError(Exception):
    code = "job_error"


class NotPossible(JobError):
    """The job's state doesn't allow this."""

    code = "not_possible"


class JobFailed(JobError):
    """A runner raises this to end its job as failed; the message is shown to the owner."""

    def __init__(self, code: str, said: object) -> None:
        """`said`: a text, or an error whose text says it; a template is kept, so that pages can translate it."""
        super().__init__(str(said))
        self.code, self.said = code, said


class JobCancelled(JobError):
    """A runner raises this when it sees the cancel flag."""

    code = "cancelled"


class ComeBackLater(JobError):
    """A runner raises this to put its job back into the queue until `at`; the message says why.

    With a `cause` (outages.Cause), it counts towards that cause's pauses in a row.
    """

    code = "come_back_later"

    def __init__(self, at: datetime, said: object, *, cause: str = "") -> None:
        super().__init__(str(said))
        self.at, self.said, self.cause = at, said, cause


class LostClaim(JobError):
    """Another worker holds the job now, so this one must not write anything more."""

    code = "lost_claim"


#: What ends a runner from outside. Code that catches Exception must let these pass.
FROM_OUTSIDE = (JobCancelled, LostClaim, SoftTimeLimitExceeded)
