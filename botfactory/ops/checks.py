"""What the doctor finds. Apps register their checks in AppConfig.ready, so that ops knows neither posts nor models."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from django.db import DatabaseError

logger = logging.getLogger(__name__)


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    #: Was a problem or a warning a moment ago.
    REPAIRED = "repaired"


#: Mends what was found and returns what it did, in words.
Repair = Callable[[], str]
#: What to tell people to run for a finding that has one.
REPAIR = "manage.py doctor --repair"


@dataclass(frozen=True, slots=True)
class Finding:
    """How it is with something: `what` says it in a sentence, `advice` what to do where it is not well."""

    level: Level
    check: str
    what: str
    advice: str = ""
    repair: Repair | None = None

    def as_json(self) -> dict[str, str]:
        return {"level": self.level, "check": self.check, "what": self.what, "advice": self.advice}

    def repaired(self) -> Finding:
        """The finding after its repair, if it has one; it is as it was, with the reason, where that failed."""
        if self.repair is None:
            return self
        try:
            done = self.repair()
        except Exception as error:
            logger.debug("the repair of %s failed", self.what, exc_info=True)
            return replace(self, what=f"{self.what}. It could not be repaired: {first_line(error)}", repair=None)
        return Finding(Level.REPAIRED, self.check, f"{self.what}. Now: {done}")


@dataclass(frozen=True, slots=True)
class Report:
    """Collects the findings of one check."""

    check: str
    findings: list[Finding]

    def ok(self, what: str) -> None:
        self.findings.append(Finding(Level.OK, self.check, what))

    def warning(self, what: str, advice: str, *, repair: Repair | None = None) -> None:
        self.findings.append(Finding(Level.WARNING, self.check, what, advice, repair))

    def problem(self, what: str, advice: str, *, repair: Repair | None = None) -> None:
        self.findings.append(Finding(Level.PROBLEM, self.check, what, advice, repair))


Check = Callable[[Report], None]
_checks: dict[str, Check] = {}


def register(name: str, check: Check) -> None:
    """For AppConfig.ready. Checks run in the order in which they were registered."""
    _checks[name] = check


def examine() -> Iterable[Finding]:
    """The findings of every check, those of each as soon as it is done."""
    for name, check in _checks.items():
        report = Report(name, [])
        try:
            check(report)
        except DatabaseError as error:
            report.problem(f"cannot be looked at: {first_line(error)}", "mend the database first (see above)")
        except Exception as error:
            logger.debug("check %s failed", name, exc_info=True)
            report.problem(
                f"cannot be looked at: {type(error).__name__}: {first_line(error)}", "run again with LOG_LEVEL=DEBUG"
            )
        yield from report.findings


def first_line(error: BaseException) -> str:
    """The error in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
