from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from botfactory.ops.commands import ProductCommand
from botfactory.words.plurals import counted
from tweets.cleaning import CleaningRules, RulesError
from tweets.preparation import Format, Packing, PreparationError, Progress, Recipe, prepare
from tweets.preparation.recipe import DEFAULT_BAD_LINES, DEFAULT_SHARES


class Command(ProductCommand):
    help = (
        "Prepare a corpus for train_base: read posts from files of any size, clean them, drop duplicates, mask "
        "personal data, and split them by author into training, validation and test."
    )
    sentences = (PreparationError, RulesError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "inputs",
            nargs="+",
            type=Path,
            metavar="INPUT",
            help="tab-separated, .csv, .jsonl, .json, .parquet, .txt or an X archive (.zip or tweets.js); text also as "
            ".gz, .xz or .zst",
        )
        parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the corpus")
        parser.add_argument(
            "--language",
            action="append",
            default=[],
            metavar="CODE",
            help="drop posts that are clearly in another language, for example en; can be given several times",
        )
        parser.add_argument(
            "--shares",
            type=_shares,
            default=DEFAULT_SHARES,
            metavar="A/B/C",
            help="percent of the authors for training, validation and test (default: 80/10/10)",
        )
        parser.add_argument("--seed", type=int, default=0, help="determines the split and the order (default: 0)")
        parser.add_argument("--pack", type=Packing, choices=list(Packing), default=Packing.GZ, help="default: gz")
        parser.add_argument("--format", type=Format, choices=list(Format), help="of all inputs (default: detected)")
        parser.add_argument("--column", default="", metavar="NAME", help="column or field of the text, or its number")
        parser.add_argument("--author-column", default="", metavar="NAME", help="column or field of the author")
        parser.add_argument("--encoding", default="utf-8", help="of text files (default: utf-8)")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            type=_rule,
            metavar="RULE=VALUE",
            help="set a cleaning rule, for example links=keep or mask_personal=false; can be given several times",
        )
        parser.add_argument(
            "--bad-lines",
            type=int,
            default=DEFAULT_BAD_LINES,
            metavar="N",
            help=f"give up after this many lines that can't be read (default: {DEFAULT_BAD_LINES})",
        )
        parser.add_argument("--processes", type=int, metavar="N", help="default: one for each core, at most 8")
        parser.add_argument("--json", action="store_true", help="print the report as one line of JSON")

    def prepare(self) -> None:
        """Do without a database."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["processes"] is not None and options["processes"] < 1:
            raise CommandError("--processes must be at least 1.")
        usual = Recipe()
        recipe = Recipe(
            rules=CleaningRules.from_dict(usual.rules.as_dict() | dict(options["set"])),
            languages=tuple(options["language"]),
            shares=options["shares"],
            seed=options["seed"],
            packing=options["pack"],
            text_column=options["column"],
            author_column=options["author_column"],
            encoding=options["encoding"],
            bad_lines=options["bad_lines"],
        )
        bar_format = "{desc} {percentage:3.0f}%|{bar}|{postfix}"
        phase = ""
        with tqdm(total=1, bar_format=bar_format, file=self.stderr, disable=options["json"] or None) as bar:

            def on_progress(progress: Progress) -> None:
                nonlocal phase
                if progress.phase != phase:
                    phase = progress.phase
                    bar.reset()
                    bar.set_description_str(f"{phase:<9}", refresh=False)
                bar.set_postfix_str(counted(progress.posts, "post"), refresh=False)
                bar.update(progress.fraction - bar.n)

            try:
                report = prepare(
                    options["inputs"],
                    options["out"],
                    recipe,
                    kind=options["format"],
                    processes=options["processes"],
                    on_progress=on_progress,
                )
            except OSError as error:
                raise CommandError(
                    f"{error.strerror or error}: {error.filename or options['out']}. The folder needs about as much "
                    "free space as the unpacked posts. Nothing was written."
                ) from error
        if options["json"]:
            self.write_json(report.as_dict())
            return
        for line in report.lines():
            self.stdout.write(line)


def _shares(text: str) -> tuple[int, int, int]:
    try:
        train, validation, test = (int(part) for part in text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"write {text!r} as three percentages, for example 80/10/10") from None
    return train, validation, test


def _rule(text: str) -> tuple[str, Any]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not name or not equals or not value:
        raise argparse.ArgumentTypeError(f"write {text!r} as RULE=VALUE, for example links=keep")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
