from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from botfactory.ops.commands import OwnerCommand
from botfactory.words.plurals import counted
from tweets.corpora import errors, summary
from tweets.importing import terminal


class Command(OwnerCommand):
    help = "Import posts from a file or an account into a new corpus."
    sentences = (errors.CorpusError,)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        terminal.add_import_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        corpus, counts = terminal.import_named(
            options["what"], owner=self.owner(options), options=options, tell=self.tell
        )
        if options["json"]:
            self.write_json(counts)
            return
        report = summary.report(corpus)
        self.stdout.write(
            f"{corpus.name}: {report.kept:,} of {counted(report.found, 'post')} kept (corpus {corpus.pk})"
        )
        for reason, count in report.dropped.items():
            self.stdout.write(f"  dropped {count:,}: {reason.replace('_', ' ')}")
        if report.masked_phrases:
            self.stdout.write(f"  masked: {', '.join(report.masked_phrases)}")
        self.stdout.write(report.advice)
