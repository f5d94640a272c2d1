from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from botfactory.ops import checks
from botfactory.ops.checks import Finding, Level
from botfactory.ops.commands import ProductCommand


class Command(ProductCommand):
    help = "Check what Bot Factory needs, and say what to do about each problem. Changes nothing without --repair."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one line of JSON")
        parser.add_argument(
            "--repair",
            action="store_true",
            help="repair what can be repaired without losing anything: post counts, and copy guards whose posts exist",
        )

    def prepare(self) -> None:
        """Do nothing. If doctor created the tables, it couldn't report that they were missing."""

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for examined in checks.examine():
            finding = examined.repaired() if options["repair"] else examined
            found.append(finding)
            if not options["json"]:
                self._say(finding)
        counts = {level: sum(finding.level == level for finding in found) for level in Level}
        problems, warnings, repaired = counts[Level.PROBLEM], counts[Level.WARNING], counts[Level.REPAIRED]
        if options["json"]:
            numbers = {"problems": problems, "warnings": warnings, "repaired": repaired}
            self.write_json({**numbers, "findings": [finding.as_json() for finding in found]})
        else:
            mended = f" repaired: {repaired}," if options["repair"] else ""
            self.stdout.write(f"Problems: {problems}, warnings: {warnings},{mended} ok: {counts[Level.OK]}.")
        if problems:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        well, warning, problem = self.style.SUCCESS, self.style.WARNING, self.style.ERROR
        styles = {Level.OK: well, Level.REPAIRED: well, Level.WARNING: warning, Level.PROBLEM: problem}
        advice = f" → {finding.advice}" if finding.advice else ""
        level = styles[finding.level](f"{finding.level:<8}")
        self.stdout.write(f"{level}  {finding.check}: {finding.what}{advice}")
