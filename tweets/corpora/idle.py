"""Only one job or person changes a corpus at a time, and nothing learns from posts that are being changed.

Code that changes the posts, or queues a job that relies on them, locks the corpus first and then checks it. Locks are
taken in the order job, corpus, person, like in a runner that writes posts, so there is no deadlock.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from botfactory.jobs import services as jobs
from botfactory.jobs.errors import ComeBackLater, JobFailed
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence, mark
from tweets.corpora.errors import CorpusBusy, CorpusGone, ImportFailed
from tweets.models import Corpus

IMPORT: Final = "import"
#: After this pause, a job checks again whether its posts have been imported and cleaned.
PAUSE: Final = timedelta(seconds=5)


def lock(corpus: Corpus) -> Corpus:
    """Lock the corpus until the transaction ends, and return it as it is now.

    Rows that point to it can still be created. SQLite needs no lock: its transactions are IMMEDIATE, so they run one
    after the other. Raises CorpusGone.
    """
    assert connection.in_atomic_block, "a lock lasts until the end of a transaction, and there is none"
    held = Corpus.objects.select_for_update(no_key=True).filter(pk=corpus.pk).first()
    if held is None:
        raise CorpusGone(_("These posts have been deleted."))
    return held


def lock_idle(corpus: Corpus) -> Corpus:
    """Lock and return the corpus if its posts may be changed now. Raises CorpusBusy and CorpusGone."""
    held = lock(corpus)
    require_idle(held)
    return held


def lock_unused(corpus: Corpus) -> Corpus:
    """Lock and return the corpus if no job uses it, even if its import is unfinished. Raises like `lock_idle`."""
    held = lock(corpus)
    _require_unused(held)
    return held


def lock_ready(corpus: Corpus) -> Corpus:
    """Lock and return the corpus if a bot can learn from its posts now. Raises CorpusBusy and CorpusGone."""
    held = lock(corpus)
    require_ready(held)
    return held


def require_idle(corpus: Corpus) -> None:
    """Return if the posts may be changed; raise CorpusBusy while a job imports them or learns from them."""
    if not corpus.is_complete:
        raise CorpusBusy(_("These posts haven’t been imported completely. Wait for the import, or try it again."))
    _require_unused(corpus)


def _require_unused(corpus: Corpus) -> None:
    if busy_jobs(corpus).exists():
        raise CorpusBusy(_("A job is using these posts. Wait until it ends, or cancel it."))


def require_ready(corpus: Corpus) -> None:
    """Return if the posts have been imported and cleaned. Raises ImportFailed, and CorpusBusy until then."""
    if corpus.state == Corpus.State.FAILED:
        raise ImportFailed(_("The import of these posts didn’t finish. Open the import to see why."))
    if not corpus.is_ready:
        raise CorpusBusy(_("These posts are being imported or cleaned. Wait until that ends."))


def busy_jobs(corpus: Corpus) -> QuerySet[Job]:
    """Return the unfinished jobs that rely on the corpus."""
    return jobs.active_jobs(Job.objects.filter(subject_id=corpus.pk))


def lock_when_ready(corpus: Corpus) -> Corpus:
    """Do the same as `wait_until_ready`, and lock the corpus until the transaction ends."""
    with suppress(CorpusGone):
        lock(corpus)
    return wait_until_ready(corpus)


def wait_until_ready(corpus: Corpus) -> Corpus:
    """Return the corpus as it is now if a runner may read its posts.

    Raises ComeBackLater while they are imported or cleaned, and JobFailed if that has failed or they are deleted.
    """
    # This comes first: an import that ends in between leaves the corpus ready or failed.
    is_importing = busy_jobs(corpus).filter(kind=IMPORT).exists()
    now = Corpus.objects.select_related("owner").filter(pk=corpus.pk).first()
    if now is None:
        raise JobFailed("corpus_deleted", Sentence(mark("The posts of this job have been deleted.")))
    if now.is_ready:
        return now
    if is_importing:
        waits = Sentence(mark("The posts of %(name)s are being cleaned. This job waits."), name=now.name)
        raise ComeBackLater(timezone.now() + PAUSE, waits)
    raise JobFailed(
        "corpus_not_ready",
        Sentence(
            mark("The posts of %(name)s aren’t ready: their import or cleaning didn’t finish. Try that again first."),
            name=now.name,
        ),
    )
