"""The doctor's checks of corpora: unneeded uploads, missing imports and wrong numbers of posts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE
from botfactory.ops.checks import REPAIR, Report
from tweets.corpora import counts, services, uploads
from tweets.models import Corpus


def corpora(report: Report) -> None:
    """Report what is wrong with corpora and uploads."""
    stuck = _stuck()
    for corpus in stuck[:20]:
        report.warning(
            f"{corpus.name} of {corpus.owner} ({corpus.pk}) waits for an import that doesn't exist",
            f"run `{REPAIR}`: its owner can then clean it again or import other posts",
            repair=partial(_give_up, corpus),
        )
    lost = uploads.without_corpus()
    for corpus_id in sorted(lost, key=str)[:20]:
        folder = Path(settings.UPLOADS_DIR) / str(corpus_id)
        report.warning(
            f"{folder} was uploaded for a corpus that has been deleted",
            "delete the folder, or restart the workers: they delete uploads that are older than an hour",
        )
    wrong = counts.differences()
    for difference in wrong:
        corpus = difference.corpus
        report.warning(
            f"{corpus.name} of {corpus.owner} ({corpus.pk}) has wrong numbers: {difference.what}",
            f"run `{REPAIR}`: it counts again, and cleans again if needed",
            repair=partial(counts.put_right, corpus),
        )
    if not stuck and not lost and not wrong:
        report.ok("every corpus has its import and the right numbers, and every upload has its corpus")


def _stuck() -> QuerySet[Corpus]:
    """Return the corpora that are being imported or cleaned, though no job does that."""
    active = Job.objects.filter(state__in=ACTIVE)
    busy = active.exclude(subject_id=None).values("subject_id")
    # The job that imports an account's ZIP is about no corpus.
    of_many = active.filter(subject_id=None).values("owner")
    importing = Corpus.objects.filter(state=Corpus.State.IMPORTING).select_related("owner")
    return importing.exclude(pk__in=busy).exclude(owner__in=of_many)


def _give_up(corpus: Corpus) -> str:
    services.give_up_import(corpus)
    return "its import counts as failed"
