"""The report of a preparation as rows of a page: each post that was found is in one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from tweets.report import masked_phrases

_REASONS: Final = {
    "repost": _("Reposts"),
    "reply": _("Replies"),
    "quote": _("Quotes of other posts"),
    "warning": _("Behind a content warning"),
    "cut": _("Cut off by their service"),
    "auto": _("Written by apps"),
    "too_short": _("Empty or too short"),
    "not_text": _("Without words, or damaged"),
    "language": _("In another language"),
    "duplicate": _("Repeated"),
    "banned": _("With a banned word"),
    "near_duplicate": _("Nearly the same as another post"),
}
_PARTS: Final = {"train": _("Training"), "validation": _("Validation"), "test": _("Test")}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the report. `percent` is of all posts that were found."""

    name: Any
    count: int
    percent: float


@dataclass(frozen=True, slots=True)
class ReportTable:
    """All lines. `masked` has phrases such as "3 email addresses", `bad_lines` counts lines that can't be read."""

    found: int
    kept: int
    dropped: list[Row]
    parts: list[Row]
    masked: list[str]
    bad_lines: int


def table_of(report: Mapping[str, Any]) -> ReportTable:
    """Return the table of a report (tweets.preparation.report)."""
    found = report["found"]

    def row(name: Any, count: int) -> Row:
        return Row(name, count, 100 * count / found if found else 0.0)

    return ReportTable(
        found=found,
        kept=report["kept"],
        dropped=[row(_REASONS.get(reason, reason), count) for reason, count in report["dropped"].items()],
        parts=[row(_PARTS.get(part, part), about["posts"]) for part, about in report["parts"].items()],
        masked=masked_phrases({"personal": report["masked"]}),
        bad_lines=report["bad_lines"],
    )
