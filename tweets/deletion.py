"""Corpora deleted, with all that is theirs; what went is told."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass

from django.db import transaction
from django.db.models import Count

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from tweets import audit, idle, uploads
from tweets.errors import CorpusGone
from tweets.models import AuditEntry, Corpus


@dataclass(frozen=True, slots=True)
class Gone:
    """What a deletion took along."""

    posts: int
    files: int
    jobs: int

    def __str__(self) -> str:
        """ "1,200 posts, 1 file and 3 jobs"."""
        posts, files, jobs = (
            f"{number:,} {noun}{'' if number == 1 else 's'}"
            for number, noun in ((self.posts, "post"), (self.files, "file"), (self.jobs, "job"))
        )
        return f"{posts}, {files} and {jobs}"


def delete_corpus(corpus: Corpus, *, by: User | None) -> Gone:
    """The corpus is gone with its posts, files and jobs. Models that learned from it stay."""
    files = _count_files(corpus)
    with transaction.atomic():
        of_it = Job.objects.filter(subject_id=corpus.pk)
        # Jobs before the corpus, as by a runner that writes posts.
        number_of_jobs = jobs.delete_jobs(of_it)
        with suppress(CorpusGone):
            idle.lock(corpus)
        # What was queued until then; nothing can be from now on.
        number_of_jobs += jobs.delete_jobs(of_it)
        posts = corpus.posts.all()._raw_delete(corpus.posts.db)
        Corpus.objects.filter(pk=corpus.pk).delete()
        gone = Gone(posts=posts, files=files, jobs=number_of_jobs)
        audit.record_corpus(AuditEntry.Action.DELETE, corpus, by=by, **asdict(gone))
        uploads.remove_when_committed(corpus)
    return gone


def delete_failed(corpus: Corpus, *, by: User | None) -> None:
    """Delete the corpus to make room for other posts, unless its import has been tried again or it is gone."""
    with transaction.atomic():
        # Whoever tries the import again locks its job first.
        list(Job.objects.select_for_update().filter(subject_id=corpus.pk))
        now = Corpus.objects.filter(pk=corpus.pk).first()
        if now is not None and now.can_be_replaced:
            delete_corpus(now, by=by)


def _count_files(corpus: Corpus) -> int:
    folder = uploads.folder_of(corpus)
    return sum(1 for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def delete_corpora_of(user: User) -> dict[str, int]:
    """The person's corpora are gone with all that is theirs; how many of what."""
    all_gone = [delete_corpus(corpus, by=None) for corpus in Corpus.objects.filter(owner=user)]
    return {
        "corpus": len(all_gone),
        "post": sum(gone.posts for gone in all_gone),
        "file": sum(gone.files for gone in all_gone),
        "job": sum(gone.jobs for gone in all_gone),
    }


def count_corpora_of(user: User) -> dict[str, int]:
    """What delete_corpora_of would take, but for the jobs, which are counted with the others of the person."""
    corpora = Corpus.objects.filter(owner=user)
    return {
        "corpus": corpora.count(),
        "post": corpora.aggregate(posts=Count("posts"))["posts"],
        "file": sum(_count_files(corpus) for corpus in corpora),
    }
