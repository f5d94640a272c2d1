"""Delete corpora with everything that belongs to them, and count it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.rest import idempotency
from tweets.corpora import amounts, audit, idle, made_from, uploads
from tweets.corpora.errors import CorpusGone
from tweets.models import AuditEntry, Corpus, Post


@dataclass(frozen=True, slots=True)
class Gone:
    """What was deleted."""

    posts: int
    files: int
    jobs: int

    def __str__(self) -> str:
        """Return "1,200 posts, 1 file and 3 jobs"."""
        counts = {
            "posts": amounts.posts(self.posts),
            "files": amounts.files(self.files),
            "jobs": amounts.jobs(self.jobs),
        }
        return _("%(posts)s, %(files)s and %(jobs)s") % counts


def jobs_of(corpora: Iterable[uuid.UUID]) -> QuerySet[Job]:
    """Return the jobs on the corpora, and those that only learn from them: their folders may hold copies of the posts.

    The latter name the corpus in their arguments. They don't keep anybody from changing it (idle.busy_jobs).
    """
    numbers = list(corpora)
    return Job.objects.filter(Q(subject_id__in=numbers) | Q(arguments__corpus__in=[str(number) for number in numbers]))


def count(corpora: Sequence[Corpus]) -> Gone:
    """Return what delete_corpus would delete with these corpora."""
    numbers = [corpus.pk for corpus in corpora]
    return Gone(
        posts=Post.objects.filter(corpus__in=numbers).count(),
        files=sum(_count_files(corpus) for corpus in corpora),
        jobs=jobs_of(numbers).count(),
    )


def delete_corpus(corpus: Corpus, *, by: User | None) -> Gone:
    """Delete the corpus with its posts, files and jobs. Models that learned from it stay, but become private."""
    files = _count_files(corpus)
    with transaction.atomic():
        of_it = jobs_of([corpus.pk])
        # Lock jobs before the corpus, like a runner that writes posts.
        number_of_jobs = jobs.delete_jobs(of_it, with_subject=True)
        with suppress(CorpusGone):
            idle.lock(corpus)
        # Jobs queued until then. From now on nothing can be queued.
        number_of_jobs += jobs.delete_jobs(of_it, with_subject=True)
        made_from.end_sharing([corpus.pk], by=by)
        idempotency.forget(corpus.pk)
        posts = corpus.posts.all()._raw_delete(corpus.posts.db)
        Corpus.objects.filter(pk=corpus.pk).delete()
        gone = Gone(posts=posts, files=files, jobs=number_of_jobs)
        audit.record_corpus(AuditEntry.Action.DELETE, corpus, by=by, **asdict(gone))
        uploads.remove_when_committed(corpus)
    return gone


def delete_failed(corpus: Corpus, *, by: User | None) -> None:
    """Delete the corpus to make room for other posts, unless its import has been tried again or it is gone."""
    with transaction.atomic():
        # Trying the import again locks its job first.
        list(Job.objects.select_for_update().filter(subject_id=corpus.pk))
        now = Corpus.objects.filter(pk=corpus.pk).first()
        if now is not None and now.can_be_replaced:
            delete_corpus(now, by=by)


def _count_files(corpus: Corpus) -> int:
    folder = uploads.folder_of(corpus)
    return sum(1 for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def delete_corpora_of(user: User, by: User | None = None) -> dict[str, int]:
    """Delete the person's corpora with everything that belongs to them, and return how many of each."""
    all_gone = [delete_corpus(corpus, by=by) for corpus in Corpus.objects.filter(owner=user)]
    return {
        "corpus": len(all_gone),
        "post": sum(gone.posts for gone in all_gone),
        "file": sum(gone.files for gone in all_gone),
        "job": sum(gone.jobs for gone in all_gone),
    }


def count_corpora_of(user: User) -> dict[str, int]:
    """Return what delete_corpora_of would delete.

    The person's own jobs are missing here, because they are counted with those that have nothing to do with a corpus.
    """
    corpora = Corpus.objects.filter(owner=user)
    numbers = corpora.values_list("pk", flat=True)
    return {
        "corpus": corpora.count(),
        "post": corpora.aggregate(posts=Count("posts"))["posts"],
        "file": sum(_count_files(corpus) for corpus in corpora),
        # Such as a report card that an administrator had remade.
        "job": jobs_of(numbers).exclude(owner=user).count(),
    }
