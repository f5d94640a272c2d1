"""The import job: it stores the pages of a source, each with the place of the next page, and then cleans the posts."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pydantic import Field

from botfactory.jobs.errors import ComeBackLater, JobFailed, NotPossible
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.interruptions import setbacks
from botfactory.jobs.kinds import Beginning, Description, JobKind
from botfactory.jobs.models import Job
from botfactory.outages.errors import Cause
from botfactory.rest.schemas import Output
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import stored, translated
from tweets.corpora import blend, idle, offered, services, uploads
from tweets.corpora.clean_corpus import clean
from tweets.corpora.errors import CorpusError
from tweets.models import BLEND, Corpus
from tweets.sources import open_source
from tweets.sources.base import RateLimited, SourceError

#: After this many failures of a source in a row, the import fails. The pauses grow.
ATTEMPTS = 5
PAUSE = timedelta(seconds=30)
#: Seconds between two updates of the progress of cleaning.
TELL_SECONDS = 0.4


def run_import(handle: JobHandle) -> dict[str, Any]:
    """Import and clean the corpus of the job, and return the counts."""
    corpus = corpus_of(handle)
    with handle.fenced():
        Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.IMPORTING)
    if corpus.source == BLEND and not corpus.is_complete:
        with handle.fenced():
            blend.fill(corpus)
    elif not corpus.is_complete or _wants_newer(handle):
        try:
            _read(handle, corpus)
        except RateLimited as pause:
            raise ComeBackLater(pause.retry_at, pause) from pause
        except SourceError as error:
            failures = setbacks(handle.job, Cause.SOURCE) + 1
            if error.transient and failures < ATTEMPTS:
                at = timezone.now() + PAUSE * failures
                raise ComeBackLater(at, error, cause=Cause.SOURCE) from error
            raise JobFailed(error.code, error) from error
    if corpus.posts_found == 0:
        raise JobFailed("no_posts", Sentence(mark("It contains no posts. Choose another file or account.")))
    told = 0.0
    for fraction in clean(corpus, fenced=handle.fenced):
        handle.check()
        if time.monotonic() - told > TELL_SECONDS:
            handle.progress({"phase": "cleaning", "total": corpus.posts_found, "fraction": round(fraction, 3)})
            told = time.monotonic()
    handle.progress({"phase": "cleaning", "total": corpus.posts_found, "fraction": 1.0})
    with handle.fenced():
        services.forget_upload(corpus)
    return {
        "corpus": str(corpus.pk),
        "posts": corpus.posts_found,
        "kept": corpus.posts_kept,
        "dropped": corpus.dropped,
        "characters": corpus.characters,
    }


def import_ended(job: Job) -> None:
    """Mark the corpus of an unsuccessful import as failed, so that the import can be tried again. For JobKind.

    After an import of newer posts, the corpus is ready again. If any did arrive, a job cleans and counts them first.
    """
    importing = Corpus.objects.filter(pk=job.arguments["corpus"], state=Corpus.State.IMPORTING)
    if not job.arguments.get("newer"):
        importing.update(state=Corpus.State.FAILED)
        return
    for corpus in importing.select_related("owner"):
        if corpus.posts_kept + sum(corpus.dropped.values()) == corpus.posts_found:
            importing.update(state=Corpus.State.READY)
        else:
            services.submit_import(corpus, is_owed=True)


def may_start(job: Job) -> None:
    """Mark the corpus as importing before an import is tried again. For JobKind.

    Raises NotPossible while another job uses the corpus.
    """
    try:
        corpus = idle.lock_unused(Corpus(pk=job.arguments["corpus"]))
    except CorpusError as error:
        raise NotPossible(translated(error)) from error
    corpus.state = Corpus.State.IMPORTING
    corpus.save(update_fields=["state"])


def page_context(job: Job) -> dict[str, Any]:
    """Return the corpus for the page of its import. For JobKind."""
    return {"corpus": Corpus.objects.filter(pk=job.subject_id).first() if job.subject_id is not None else None}


def corpus_of(handle: JobHandle) -> Corpus:
    """Return the corpus of the job. Raises JobFailed if it has been deleted."""
    corpus = Corpus.objects.select_related("owner").filter(pk=handle.job.arguments["corpus"]).first()
    if corpus is None:
        raise JobFailed("corpus_deleted", Sentence(mark("The posts of this job have been deleted.")))
    return corpus


def _wants_newer(handle: JobHandle) -> bool:
    """Return whether the import still has to read newer posts."""
    return bool(handle.job.arguments.get("newer")) and not handle.job.events.filter(kind="read").exists()


def _read(handle: JobHandle, corpus: Corpus) -> None:
    path = uploads.file_of(corpus)
    if path is None and not corpus.comes_from_network:
        raise JobFailed("upload_gone", Sentence(mark("The uploaded file no longer exists. Upload it again.")))
    handle.progress({"phase": "reading", "total": corpus.posts_found})
    if handle.job.arguments.get("newer") and not handle.job.events.filter(kind="caught_up").exists():
        # The newer posts that an earlier job left. From then on, the cursor is this job's own, for those posted since.
        if corpus.cursor:
            _read_pages(handle, corpus, path)
        handle.record("caught_up", {"total": corpus.posts_found})
    _read_pages(handle, corpus, path)
    handle.record("read", {"total": corpus.posts_found})


def _read_pages(handle: JobHandle, corpus: Corpus, path: Path | None) -> None:
    source = open_source(
        corpus.source,
        path=path,
        handle=corpus.handle or None,
        settings=replace(
            offered.settings_for(corpus, at_terminal=handle.job.at_terminal),
            text_column=handle.job.arguments.get("column", ""),
        ),
    )
    for page in source.pages(corpus.cursor or None):
        handle.check()
        with handle.fenced():
            new = services.add_page(corpus, page)
            if page.note:
                handle.record("note", {"message": str(page.note), "words": stored(page.note)})
            if page.posts:
                handle.record("page", {"new": new, "total": corpus.posts_found})
        progress: dict[str, Any] = {"phase": "reading", "total": corpus.posts_found}
        if page.total:
            progress["fraction"] = min(1.0, corpus.posts_found / page.total)
        handle.progress(progress)


class ImportProgress(Output):
    """What the API shows of a running import."""

    posts: int | None = Field(None, validation_alias="total", description="For an import, the posts found so far.")


KIND: Final = JobKind(
    name=services.IMPORT,
    label=_("Import"),
    template="tweets/import.html",
    context=page_context,
    begins=Beginning(url="new_corpus", button=_("Import posts")),
    subject="corpus",
    describe=Description(progress=ImportProgress),
    run=run_import,
    prepare=uploads.sweep,
    may_start=may_start,
    ended=import_ended,
    to_take_less=_("Import fewer posts at a time."),
    kept=_("The posts found so far are kept. “Try again” continues from there."),
)
