from __future__ import annotations

from collections.abc import Sequence

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tweets.corpora import services
from tweets.models import Corpus


def run(job: Job) -> tuple[Job, Corpus]:
    """The job as it ended, and its corpus."""
    worker.run(job.pk)
    job.refresh_from_db()
    return job, Corpus.objects.get(pk=job.arguments["corpus"])


def pasted(owner: User, posts: Sequence[str], name: str = "Town") -> Corpus:
    """A corpus of these posts, imported."""
    job, corpus = run(services.import_text(owner=owner, text="\n".join(posts), name=name))
    assert job.state == State.SUCCEEDED, job.error_message
    return corpus
