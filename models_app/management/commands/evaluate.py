from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from botfactory.ops.commands import OwnerCommand
from models_app import registry, services
from models_app.ml import dataset, evaluation
from models_app.ml.errors import LearningError


class Command(OwnerCommand):
    help = "Measure how well a model predicts the posts of a text file (a post a line), in bits per character."
    sentences = (services.ModelError, registry.NoBaseModel, LearningError)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", metavar="MODEL", help="a model's id, its owner/name, or base")
        parser.add_argument("file", metavar="FILE", help="posts, one a line: .txt, .txt.xz or .txt.gz")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.owner(options) if options["owner"] else None
        model = services.find_model(options["model"], user=user)
        posts = dataset.stream_posts([Path(options["file"])])
        with tqdm(desc="Posts", unit="", unit_scale=True, file=self.stderr, disable=None) as bar:

            def on_progress(done: int) -> None:
                bar.update(done - bar.n)

            result = evaluation.evaluate(registry.load(model), posts, on_progress=on_progress)
        if options["json"]:
            self.write_json(
                {
                    "bits_per_character": result.bits_per_character,
                    "characters": result.characters,
                    "posts": result.posts,
                }
            )
            return
        self.stdout.write(
            f"{model.full_name}: {result.bits_per_character:.4f} bits per character over {result.posts:,} posts "
            f"({result.characters:,} characters and as many end marks as posts)"
        )
