"""What doctor, /readyz and /metrics say of writers."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from redis.exceptions import RedisError

from botfactory.ops.checks import Report
from botfactory.words.plurals import counted
from models_app.writing.admission import WriterMissing
from models_app.writing.board import Board, client


def require_writer() -> None:
    """Return if somebody writes. Raises WriterMissing, RedisError."""
    if not _board().writers():
        raise WriterMissing


def writers(report: Report) -> None:
    try:
        known = _board().writers()
    except (RedisError, OSError):
        report.problem("writers can't be asked without the broker", "mend the broker first (see above)")
        return
    for facts in known.values():
        models = f"{counted(facts['models'], 'bot')}"
        rates = ", ".join(f"{rate:,.0f} ({tier})" for tier, rate in facts["rates"].items())
        threads = counted(facts["threads"], "thread")
        report.ok(
            f"the writer {facts['host']}:{facts['pid']} has {models} in memory, holds {facts['megabytes']:g} MB, and "
            f"writes on {threads}, in characters per second: {rates}"
        )
    if not known:
        report.problem(
            "the writer isn't running, so no bot can write",
            f"start the product (`make run`), or `manage.py writer`; if it ends at once, its log says why "
            f"({settings.LOGS_DIR / 'writer-1.log'})",
        )


def collect() -> Iterator[Metric]:
    """Yield the figures of writers; none where the broker doesn't answer."""
    board = _board()
    try:
        known, pending = board.writers().values(), board.pending()
    except (RedisError, OSError):
        return
    figures = {
        "botfactory_writers": ("Writers that are alive.", len(known)),
        "botfactory_writing_requests": ("Requests that wait or are being written.", pending),
        "botfactory_writer_bytes": (
            "Memory that only the writers hold.",
            sum(facts["megabytes"] for facts in known) * 1e6,
        ),
    }
    for name, (about, value) in figures.items():
        family = GaugeMetricFamily(name, about)
        family.add_metric([], value)
        yield family
    family = GaugeMetricFamily(
        "botfactory_writing_characters_per_second",
        "What all writers together can write with bots of a tier, as measured.",
        labels=["tier"],
    )
    for tier in sorted({tier for facts in known for tier in facts["rates"]}):
        family.add_metric([tier], sum(facts["rates"].get(tier, 0.0) for facts in known))
    yield family


def _board() -> Board:
    return Board(client())
