"""Imports and posts by source, for /metrics."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, OuterRef, Subquery, Sum
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from botfactory.jobs.models import Job
from tweets.corpora.services import IMPORT
from tweets.models import Corpus


def collect() -> Iterator[Metric]:
    """Yield the metrics, counted from the rows."""
    imports = GaugeMetricFamily("botfactory_imports", "Imports, by source and state.", labels=["source", "result"])
    source = Corpus.objects.filter(pk=OuterRef("subject_id")).values("source")
    jobs = Job.objects.filter(kind=IMPORT).order_by().annotate(source=Subquery(source)).values_list("source", "state")
    for name, state, count in jobs.annotate(count=Count("pk")):
        # The corpus of an import may have been deleted.
        imports.add_metric([name or "deleted", state], count)
    posts = GaugeMetricFamily(
        "botfactory_posts",
        "Posts, by source: kept, or dropped by a rule.",
        labels=["source", "result"],
    )
    totals = Corpus.objects.order_by().values_list("source").annotate(found=Sum("posts_found"), kept=Sum("posts_kept"))
    for name, found, kept in totals:
        posts.add_metric([name, "kept"], kept)
        posts.add_metric([name, "dropped"], max(0, found - kept))
    yield from (imports, posts)
