"""The doctor on corpora: uploads that nobody needs any more, imports that nobody does, and wrong numbers of posts."""

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
    busy = Job.objects.filter(state__in=ACTIVE).values("subject_id")
    stuck = Corpus.objects.filter(state=Corpus.State.IMPORTING).exclude(pk__in=busy)
    for corpus in stuck.select_related("owner")[:20]:
        report.warning(
            f"{corpus.name} of {corpus.owner} ({corpus.pk}) waits for an import that does not exist",
            "its owner can delete it and bring the posts again",
        )
    lost = uploads.without_corpus()
    for corpus_id in sorted(lost, key=str)[:20]:
        folder = Path(settings.UPLOADS_DIR) / str(corpus_id)
        report.warning(
            f"{folder} was uploaded for a corpus that is deleted",
            "delete the folder, or start the workers again: they remove what is older than an hour",
        )
    wrong = counts.differences()
    for difference in wrong:
        corpus = difference.corpus
        report.warning(
            f"{corpus.name} of {corpus.owner} ({corpus.pk}) says: {difference.what}",
            f"run `{REPAIR}`: it counts again, and cleans again where that is needed",
            repair=partial(counts.put_right, corpus),
        )
    if not stuck and not lost and not wrong:
        report.ok("every corpus has its import and counts its posts, and every upload has its corpus")
