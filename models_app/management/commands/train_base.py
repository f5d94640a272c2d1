from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from botfactory.ops.commands import ProductCommand, native_messages_to, setting
from models_app import registry
from models_app.ml import checkpoint
from models_app.ml.config import NETWORKS, NetworkConfig, PretrainConfig
from models_app.ml.errors import LearningError

if TYPE_CHECKING:
    from models_app.ml.training.pretrain import PretrainProgress, PretrainValidation


class Command(ProductCommand):
    help = (
        "Train the base model on text files with a post on each line. Ctrl-C saves the state, and --resume continues "
        "from it."
    )
    sentences = (LearningError, registry.NoBaseModel)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--corpus", nargs="+", required=True, type=Path, metavar="FILE", help=".txt, .xz or .gz")
        parser.add_argument("--valid", required=True, type=Path, metavar="FILE", help="posts for validation")
        budget = parser.add_mutually_exclusive_group(required=True)
        budget.add_argument("--minutes", type=float, help="minutes of training, including earlier ones")
        budget.add_argument(
            "--megabytes", type=float, help="megabytes to read in all, so a busy machine gives the same result later"
        )
        parser.add_argument("--resume", action="store_true", help="continue from the saved state")
        parser.add_argument(
            "--network",
            type=_network,
            default=NETWORKS["glr"],
            metavar="NAME",
            help=f"{' or '.join(NETWORKS)}, or a JSON object with the values of a network (default: glr)",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            type=setting,
            metavar="NAME=VALUE",
            help="set a value of the recipe; can be given several times",
        )
        parser.add_argument(
            "--start", type=Path, metavar="DIRECTORY", help="start from the weights of this model, with a new schedule"
        )
        parser.add_argument(
            "--name",
            default=registry.BASE_DIRECTORY,
            help="directory under CHECKPOINTS_DIR; only `base` replaces the base model",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Imported late, because it loads TensorFlow.
        from models_app.ml.training.pretrain import Budget, pretrain

        name = options["name"]
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", name) or name == "users":
            raise CommandError(
                f"{name!r} can't name a base model. Use lowercase letters, digits and hyphens, as in base-large."
            )
        directory = Path(settings.CHECKPOINTS_DIR) / name
        missing = [str(path) for path in [*options["corpus"], options["valid"]] if not path.is_file()]
        if missing:
            raise CommandError(f"There is no file {', '.join(missing)}.")
        bar_format = "{percentage:3.0f}%|{bar}| {desc}"
        log = Path(settings.LOGS_DIR) / "train_base.log"
        with (
            native_messages_to(log, self.stderr) as stream,
            tqdm(total=1, desc="starting", bar_format=bar_format, file=stream) as bar,
        ):

            def on_progress(progress: PretrainProgress) -> None:
                bar.desc = (
                    f"{progress.minutes:.1f} min, {progress.seconds_left / 60:.0f} left, "
                    f"{progress.bytes_seen / 1e6:.1f} MB, {progress.bytes_per_second:,.0f} bytes/s, "
                    f"loss {progress.loss:.4f}"
                )
                bar.update(min(progress.fraction, 1) - bar.n)

            def on_validation(result: PretrainValidation) -> None:
                bar.write(
                    f"{result.minutes:6.1f} min: training loss {result.train_loss:.4f}, validation loss "
                    f"{result.validation_loss:.4f} ({result.bits_per_character:.3f} bits per character)"
                    f"{'  best so far' if result.best else ''}",
                    file=stream,
                )

            try:
                trained = pretrain(
                    corpus=options["corpus"],
                    validation=options["valid"],
                    directory=directory,
                    budget=Budget(options["minutes"], options["megabytes"]),
                    resume=options["resume"],
                    network=options["network"],
                    config=PretrainConfig.from_dict(dict(options["set"])),
                    start=checkpoint.load(options["start"]) if options["start"] else None,
                    on_progress=on_progress,
                    on_validation=on_validation,
                )
            except ValueError as error:
                raise CommandError(str(error)) from error
        if name == registry.BASE_DIRECTORY:
            registry.base_model()
        bits = trained.meta["bits_per_character"]
        self.stdout.write(
            f"Saved the base model in {directory}: {bits:.4f} bits per character on {options['valid'].name}."
        )


def _network(text: str) -> NetworkConfig:
    if text in NETWORKS:
        return NETWORKS[text]
    try:
        return NetworkConfig.from_dict(json.loads(text))
    except ValueError as error:
        known = ", ".join(NETWORKS)
        raise argparse.ArgumentTypeError(f"{text!r} is neither one of {known} nor a JSON object: {error}") from error
