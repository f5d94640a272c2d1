from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from botfactory.ops import checks
from botfactory.ops.checks import Finding, Level
from botfactory.ops.commands import ProductCommand


class Command(ProductCommand):
    help = "Look at everything that the product needs, and say what to do about what is not well. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one line of JSON instead of lines for people")

    def prepare(self) -> None:
        """Nothing: a doctor who makes the tables could not say that they were missing."""

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for finding in checks.examine():
            found.append(finding)
            if not options["json"]:
                self._say(finding)
        counts = {level: sum(finding.level == level for finding in found) for level in Level}
        problems, warnings = counts[Level.PROBLEM], counts[Level.WARNING]
        if options["json"]:
            self.write_json(
                {"problems": problems, "warnings": warnings, "findings": [finding.as_json() for finding in found]}
            )
        else:
            self.stdout.write(f"Problems: {problems}, warnings: {warnings}, well: {counts[Level.OK]}.")
        if problems:
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        styles = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.PROBLEM: self.style.ERROR}
        advice = f" → {finding.advice}" if finding.advice else ""
        level = styles[finding.level](f"{finding.level:<7}")
        self.stdout.write(f"{level}  {finding.check}: {finding.what}{advice}")
