from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from tqdm import tqdm

from botfactory.accounts.models import User
from botfactory.ops.commands import OwnerCommand
from botfactory.words.plurals import counted
from models_app.bots import loading, versions
from models_app.bots.errors import ModelError
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import LearningError
from models_app.ml.evaluation import evaluation
from models_app.ml.training import dataset
from models_app.sharing import access


class Command(OwnerCommand):
    help = "Measure in bits per character how well a model predicts the posts in a text file."
    sentences = (ModelError, versions.NoBaseModel, LearningError)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "model", metavar="MODEL", help="a model's id, its owner/name, base, or a directory that train_base wrote"
        )
        parser.add_argument("file", metavar="FILE", help="posts, one on each line: .txt, .txt.xz or .txt.gz")
        parser.add_argument("--by-kind", action="store_true", help="also show names, links, words and so on separately")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.owner(options) if options["owner"] else None
        name, weights = _found(options["model"], user)
        posts = dataset.stream_posts([Path(options["file"])])
        with tqdm(desc="Posts", unit="", unit_scale=True, file=self.stderr, disable=None) as bar:

            def on_progress(done: int) -> None:
                bar.update(done - bar.n)

            result = evaluation.evaluate(weights, posts, on_progress=on_progress)
        if options["json"]:
            self.write_json(
                {
                    "bits_per_character": result.bits_per_character,
                    "characters": result.characters,
                    "posts": result.posts,
                    "parts": {name: asdict(part) for name, part in result.parts.items()},
                }
            )
            return
        self.stdout.write(
            f"{name}: {result.bits_per_character:.4f} bits per character over "
            f"{counted(result.posts, 'post')} ({counted(result.characters, 'character')}, plus an end mark per post)"
        )
        if options["by_kind"]:
            self.stdout.write(_table(result))


def _found(name: str, user: User | None) -> tuple[str, Checkpoint]:
    """Return the name and the weights of a model, or of a directory that `train_base` wrote."""
    directory = Path(settings.CHECKPOINTS_DIR) / name
    if user is None and name not in versions.SHIPPED.values() and (directory / checkpoint.CONFIG).is_file():
        return name, checkpoint.load(directory)
    model = access.find_model(name, user=user)
    return model.full_name, loading.load(model)


def _table(result: evaluation.Evaluation) -> str:
    """Return a table of the parts, each with its share of the characters and of all bits."""
    lines = [f"{'':10} {'characters':>11} {'bits each':>10} {'of all bits':>12}"]
    all_characters = result.characters + result.posts
    for name, part in result.parts.items():
        share = part.characters / all_characters
        of_bits = share * part.bits_per_character / result.bits_per_character
        lines.append(f"{name:10} {share:>11.1%} {part.bits_per_character:>10.3f} {of_bits:>12.1%}")
    return "\n".join(lines)
