"""A corpus is changed by one job or person at a time, and nobody learns from posts that are being changed.

Whoever changes the posts, or queues a job that counts on them, locks the corpus first and then looks at it. Locks are
taken in the order job, corpus, person, as by a runner that writes posts: nobody waits in a circle.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from botfactory.jobs import services as jobs
from botfactory.jobs.errors import ComeBackLater, JobFailed
from botfactory.jobs.models import Job
from tweets.errors import CorpusBusy, CorpusGone
from tweets.models import Corpus

IMPORT: Final = "import"
#: When a job looks again whose posts are being imported or cleaned.
PAUSE: Final = timedelta(seconds=5)


def lock(corpus: Corpus) -> Corpus:
    """Return the corpus as it is now, for nobody else to change or begin with until the transaction ends.

    Rows that point to it can still be made. SQLite needs no lock: its transactions are IMMEDIATE, one after another.
    Raises CorpusGone.
    """
    assert connection.in_atomic_block, "a lock holds until the end of a transaction, and there is none"
    held = Corpus.objects.select_for_update(no_key=True).filter(pk=corpus.pk).first()
    if held is None:
        raise CorpusGone("These posts have been deleted.")
    return held


def lock_idle(corpus: Corpus) -> Corpus:
    """Return the corpus, locked, whose posts may be changed now. Raises CorpusBusy and CorpusGone."""
    held = lock(corpus)
    require_idle(held)
    return held


def lock_unused(corpus: Corpus) -> Corpus:
    """Return the corpus, locked, with which no job works; its import may be unfinished. Raises as `lock_idle`."""
    held = lock(corpus)
    _require_unused(held)
    return held


def lock_ready(corpus: Corpus) -> Corpus:
    """Return the corpus, locked, whose posts may be learned from now. Raises CorpusBusy and CorpusGone."""
    held = lock(corpus)
    require_ready(held)
    return held


def require_idle(corpus: Corpus) -> None:
    """Return where the posts may be changed; raise CorpusBusy while a job imports them or learns from them."""
    if not corpus.is_complete:
        raise CorpusBusy("These posts have not been imported yet. Wait for the import, or try it again.")
    _require_unused(corpus)


def _require_unused(corpus: Corpus) -> None:
    if busy_jobs(corpus).exists():
        raise CorpusBusy("A job is using these posts. Wait until it ends, or cancel it first.")


def require_ready(corpus: Corpus) -> None:
    """Return when the posts are there and cleaned; raise CorpusBusy before."""
    if corpus.state == Corpus.State.FAILED:
        raise CorpusBusy("The import of these posts did not finish. Open it and try again.")
    if not corpus.is_ready:
        raise CorpusBusy("These posts are being imported or cleaned. Wait until that ends.")


def busy_jobs(corpus: Corpus) -> QuerySet[Job]:
    """The jobs that have not ended and count on the corpus staying as it is."""
    return jobs.active_jobs(Job.objects.filter(subject_id=corpus.pk))


def lock_when_ready(corpus: Corpus) -> Corpus:
    """As `wait_until_ready`, and the corpus stays as it is until the transaction ends."""
    with suppress(CorpusGone):
        lock(corpus)
    return wait_until_ready(corpus)


def wait_until_ready(corpus: Corpus) -> Corpus:
    """Return the corpus as it is now when a runner may read its posts.

    Raise ComeBackLater while they are imported or cleaned, and JobFailed where that has failed or they are gone.
    """
    # Asked first: an import that ends in between leaves the corpus ready, or failed.
    is_importing = busy_jobs(corpus).filter(kind=IMPORT).exists()
    now = Corpus.objects.select_related("owner").filter(pk=corpus.pk).first()
    if now is None:
        raise JobFailed("corpus_deleted", "The posts of this job have been deleted.")
    if now.is_ready:
        return now
    if is_importing:
        raise ComeBackLater(timezone.now() + PAUSE, f"The posts of {now.name} are being cleaned. This job waits.")
    raise JobFailed(
        "corpus_not_ready",
        f"The posts of {now.name} are not ready: their import or cleaning did not finish. Try that again first, then "
        "this.",
    )
