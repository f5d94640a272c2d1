"""What may go wrong with a job, as sentences for the person whose job it is."""

from __future__ import annotations

from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded


class JobError(Exception):
    code = "job_error"


class NotPossible(JobError):
    """The job is not in a state in which this can be done."""

    code = "not_possible"


class JobFailed(JobError):
    """A runner raises this to end its job as failed; the message is shown to the owner."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class JobCancelled(JobError):
    """A runner raises this when it has seen the cancel flag."""

    code = "cancelled"


class ComeBackLater(JobError):
    """A runner raises this to put its job back into the queue until `at`; the message says why.

    With a `cause` (interruptions.Cause) it counts as one more of its kind in a row.
    """

    code = "come_back_later"

    def __init__(self, at: datetime, message: str, *, cause: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.cause = cause


class LostClaim(JobError):
    """Another worker holds the job now; whoever sees this writes nothing more."""

    code = "lost_claim"


#: What ends a runner from outside. Code on its way that catches Exception lets these through.
FROM_OUTSIDE = (JobCancelled, LostClaim, SoftTimeLimitExceeded)
