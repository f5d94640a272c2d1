"""The checks and findings of `doctor`. Apps register checks in AppConfig.ready, so ops depends on none of them."""

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
    #: A problem or warning that was just repaired.
    REPAIRED = "repaired"


#: Repairs what was found and returns a few words on what it did.
Repair = Callable[[], str]
#: The command to suggest for a finding with a repair.
REPAIR = "manage.py doctor --repair"


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of something: `what` describes it, and `advice` says what to do about a problem."""

    level: Level
    check: str
    what: str
    advice: str = ""
    repair: Repair | None = None

    def as_json(self) -> dict[str, str]:
        return {"level": self.level, "check": self.check, "what": self.what, "advice": self.advice}

    def repaired(self) -> Finding:
        """Return the finding after its repair, if it has one. If the repair fails, the finding gives the reason."""
        if self.repair is None:
            return self
        try:
            done = self.repair()
        except Exception as error:
            logger.debug("the repair of %s failed", self.what, exc_info=True)
            return replace(self, what=f"{self.what}. The repair failed: {first_line(error)}", repair=None)
        return Finding(Level.REPAIRED, self.check, f"{self.what}. Repaired: {done}")


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one check, as they come in."""

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
    """Add a check. Called in AppConfig.ready. Checks run in the order of registration."""
    _checks[name] = check


def examine() -> Iterable[Finding]:
    """Run the checks and yield their findings, as soon as each check is done."""
    for name, check in _checks.items():
        report = Report(name, [])
        try:
            check(report)
        except DatabaseError as error:
            report.problem(f"couldn't be checked: {first_line(error)}", "first fix the database (see above)")
        except Exception as error:
            logger.debug("check %s failed", name, exc_info=True)
            report.problem(
                f"couldn't be checked: {type(error).__name__}: {first_line(error)}", "run again with LOG_LEVEL=DEBUG"
            )
        yield from report.findings


def first_line(error: BaseException) -> str:
    """Return the error's message on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
