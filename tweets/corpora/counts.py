"""Compare the numbers of a corpus with its rows, for the doctor, and repair them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q

from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE
from botfactory.words.plurals import counted
from tweets.corpora import audit, idle, services
from tweets.models import AuditEntry, Corpus

_ROWS = {
    "found_rows": Count("posts"),
    "kept_rows": Count("posts", filter=Q(posts__dropped="") & ~Q(posts__cleaned="")),
    # After cleaning, a post has a text or a reason.
    "raw_rows": Count("posts", filter=Q(posts__dropped="", posts__cleaned="")),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A corpus whose numbers differ from its rows. `what` names the differences, without a full stop."""

    corpus: Corpus
    what: str
    needs_cleaning: bool


def differences() -> list[Difference]:
    """Return the differences of all corpora that no job is using."""
    busy = Job.objects.filter(state__in=ACTIVE).exclude(subject_id=None).values("subject_id")
    corpora = Corpus.objects.exclude(pk__in=busy).select_related("owner").annotate(**_ROWS)
    return [found for corpus in corpora if (found := _compared(corpus))]


def _compared(corpus: Corpus) -> Difference | None:
    """Compare a corpus that is annotated with `_ROWS`."""
    found, kept, raw = (int(getattr(corpus, name)) for name in _ROWS)
    what = []
    if found != corpus.posts_found:
        what.append(f"{counted(corpus.posts_found, 'post')} found, but there are {found:,}")
    # A corpus whose import failed was never cleaned.
    needs_cleaning = corpus.is_ready and bool(raw or kept != corpus.posts_kept)
    if corpus.is_ready and kept != corpus.posts_kept:
        what.append(f"{counted(corpus.posts_kept, 'post')} kept, but {kept:,} are")
    if corpus.is_ready and raw:
        what.append(f"all posts cleaned, but {raw:,} are not")
    return Difference(corpus, "; ".join(what), needs_cleaning) if what else None


def put_right(corpus: Corpus) -> str:
    """Correct the number of posts, and queue a cleaning with the same rules if the other numbers are wrong.

    Returns what was done, in words. Raises CorpusBusy and CorpusGone like `idle.lock_unused`, and LimitReached if the
    owner can't have another job.
    """
    with transaction.atomic():
        idle.lock_unused(corpus)
        held = Corpus.objects.select_related("owner").annotate(**_ROWS).get(pk=corpus.pk)
        difference = _compared(held)
        if difference is None:
            return "already correct"
        Corpus.objects.filter(pk=held.pk).update(posts_found=getattr(held, "found_rows"))  # noqa: B009 - an annotation
        if not difference.needs_cleaning:
            return "counted again"
        held.refresh_from_db()
        Corpus.objects.filter(pk=held.pk).update(state=Corpus.State.IMPORTING)
        audit.record_corpus(AuditEntry.Action.RECLEAN, held, by=None, rules=held.cleaning_rules.as_dict())
        services.submit_import(held)
        return "counted again, and a cleaning with the same rules is queued"
