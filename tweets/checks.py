"""The doctor's checks of corpora: unneeded uploads, missing imports and wrong numbers of posts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from django.conf import settings

from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE
from botfactory.ops.checks import REPAIR, Report
from tweets import counts, uploads
from tweets.models import Corpus


def corpora(report: Report) -> None:
    """Report what is wrong with corpora and uploads."""
    busy = Job.objects.filter(state__in=ACTIVE).values("subject_id")
    stuck = Corpus.objects.filter(state=Corpus.State.IMPORTING).exclude(pk__in=busy)
    for corpus in stuck.select_related("owner")[:20]:
        report.warning(
            f"{corpus.name} of {corpus.owner} ({corpus.pk}) waits for an import that doesn't exist",
            "its owner can delete it and import the posts again",
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
