"""The page for Prometheus: what this process has counted, and figures from the database.

Apps register sources. Each makes a fixed number of queries, however many rows there are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from django.db import DatabaseError
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from botfactory.ops.counters import registry

logger = logging.getLogger(__name__)

Source = Callable[[], Iterable[Metric]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Add a source. Called in AppConfig.ready."""
    if source not in _sources:
        _sources.append(source)


class DatabaseFigures(Collector):
    """The figures of all sources, or only the fact that the database can't be reached."""

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering makes no queries."""
        return []

    def collect(self) -> Iterator[Metric]:
        reached = GaugeMetricFamily("botfactory_database_up", "Whether the database answered.")
        try:
            found = [metric for source in _sources for metric in source()]
        except DatabaseError as error:
            logger.warning("can't read the metrics from the database: %s", error)
            found = []
            reached.add_metric([], 0)
        else:
            reached.add_metric([], 1)
        yield from [reached, *found]


registry.register(DatabaseFigures())


def page(accept: str) -> tuple[bytes, str]:
    """Return all metrics in the requested format, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def histogram(values: Iterable[float], bounds: Iterable[float]) -> tuple[list[tuple[str, float]], float]:
    """Return cumulative buckets as Prometheus counts them (values at most each bound), and the sum of the values."""
    known = list(values)
    buckets = [(str(float(bound)), float(sum(value <= bound for value in known))) for bound in bounds]
    return [*buckets, ("+Inf", float(len(known)))], sum(known)
