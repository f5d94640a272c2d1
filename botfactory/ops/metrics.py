"""Prometheus' page: what this process counted, and what the database holds at the moment of asking.

Apps register what they know; each of them makes the same few queries however many rows there are.
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
    """For AppConfig.ready."""
    if source not in _sources:
        _sources.append(source)


class DatabaseFigures(Collector):
    """The figures of all sources; where the database cannot be asked, that is what is told of it."""

    def describe(self) -> Iterable[Metric]:
        """Nothing: the database is not asked before somebody wants to know."""
        return []

    def collect(self) -> Iterator[Metric]:
        reached = GaugeMetricFamily("botfactory_database_up", "Whether the database could be asked for the figures.")
        try:
            found = [metric for source in _sources for metric in source()]
        except DatabaseError as error:
            logger.warning("the database cannot be asked for the metrics: %s", error)
            found = []
            reached.add_metric([], 0)
        else:
            reached.add_metric([], 1)
        yield from [reached, *found]


registry.register(DatabaseFigures())


def page(accept: str) -> tuple[bytes, str]:
    """All metrics in the format that was asked for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def histogram(values: Iterable[float], bounds: Iterable[float]) -> tuple[list[tuple[str, float]], float]:
    """How many values are at most each bound and in all, as Prometheus counts them, and their sum."""
    known = list(values)
    buckets = [(str(float(bound)), float(sum(value <= bound for value in known))) for bound in bounds]
    return [*buckets, ("+Inf", float(len(known)))], sum(known)
