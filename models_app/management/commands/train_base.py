from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from botfactory.ops.commands import ProductCommand, in_full, native_messages_to, setting
from models_app.bots import pretrained, versions
from models_app.bots.rows import Tier
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NETWORKS, PretrainConfig, traits_of, vocabulary_to_learn
from models_app.ml.errors import LearningError
from models_app.ml.networks.registry import Network, config_of, small_network
from models_app.ml.networks.reshaping import reshaped

if TYPE_CHECKING:
    from models_app.ml.training.pretrain import PretrainMeasuring, PretrainProgress, PretrainValidation


#: The pretrained model that comes with the product; its adapter is trained.
SMOLLM2 = "smollm2"
#: Folders in CHECKPOINTS_DIR that belong to other things.
_NOT_BASES = ("users", versions.VERSIONS_DIRECTORY, pretrained.root().name)
#: What can change in the model that a training starts from.
SHAPE = ("layers", "context_width", "rank")


class Command(ProductCommand):
    help = (
        "Train the base model on text files with a post on each line. Ctrl-C saves the state, and --resume continues "
        "from it."
    )
    sentences = (LearningError, versions.NoBaseModel)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--corpus", nargs="+", required=True, type=Path, metavar="FILE", help=".txt, .xz or .gz")
        parser.add_argument("--valid", required=True, type=Path, metavar="FILE", help="posts for validation")
        budget = parser.add_mutually_exclusive_group(required=True)
        budget.add_argument("--minutes", type=float, help="minutes of training, including earlier ones")
        budget.add_argument(
            "--megabytes", type=float, help="megabytes to read in all, so a busy machine gives the same result later"
        )
        saved = parser.add_mutually_exclusive_group()
        saved.add_argument("--resume", action="store_true", help="continue from the saved state")
        saved.add_argument("--start-over", action="store_true", help="delete the saved state and begin anew")
        parser.add_argument(
            "--network",
            default="glr",
            metavar="NAME",
            help=f"{', '.join(NETWORKS)}, {SMOLLM2} (an adapter of this pretrained model), or a JSON object with the "
            "values of a network (default: glr)",
        )
        parser.add_argument(
            "--vocabulary",
            type=int,
            metavar="SYMBOLS",
            help="read tokens instead of bytes: learn a vocabulary of so many from the corpus (with --network glr)",
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
        parser.add_argument("--layers", type=int, help="give the model of --start more layers (glr only)")
        parser.add_argument(
            "--context-width", type=int, help="give the model of --start narrower tables of contexts (glr only)"
        )
        parser.add_argument("--rank", type=int, help="give the adapter of --start another rank (smollm2 only)")
        parser.add_argument(
            "--name",
            default=None,
            help="directory under CHECKPOINTS_DIR; only `base` and `fluent` replace the base model of a tier",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Imported late, because they load TensorFlow and the library of the tokens.
        from models_app.ml.training.pretrain import STATE, Budget, pretrain
        from models_app.ml.training.tokens import with_vocabulary

        shape = {name: options[name] for name in SHAPE if options[name] is not None}
        if shape and options["start"] is None:
            raise CommandError("--layers, --context-width and --rank change the model of --start. Give it, too.")
        start, network = self._begin(options["start"], options["network"], shape)
        if options["vocabulary"] is not None and start is not None:
            raise CommandError("A model keeps its vocabulary, so --start and --vocabulary can't go together.")
        name = options["name"] or versions.SHIPPED[Tier.of(network.as_dict())]
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", name) or name in _NOT_BASES:
            raise CommandError(
                f"{name!r} can't name a base model. Use lowercase letters, digits and hyphens, as in base-large."
            )
        directory = Path(settings.CHECKPOINTS_DIR) / name
        missing = [str(path) for path in [*options["corpus"], options["valid"]] if not path.is_file()]
        if missing:
            raise CommandError(f"There is no file {', '.join(missing)}.")
        if (directory / STATE).exists() and not (options["resume"] or options["start_over"]):
            raise CommandError(
                f"{directory} has the state of an earlier training. Continue it with --resume, choose another --name, "
                "or delete the state with --start-over."
            )
        try:
            if options["vocabulary"] is not None:
                network = small_network(network).of_tokens(vocabulary_to_learn(options["vocabulary"]))
            network = with_vocabulary(network, options["corpus"], directory, resume=options["resume"])
        except ValueError as error:
            raise CommandError(in_full(error)) from error
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

            def on_measuring(progress: PretrainMeasuring) -> None:
                left = "" if progress.seconds_left is None else f", {progress.seconds_left / 60:.1f} min left"
                bar.desc = f"measuring on {options['valid'].name}{left}"
                bar.update(progress.fraction - bar.n)

            try:
                trained = pretrain(
                    corpus=options["corpus"],
                    validation=options["valid"],
                    directory=directory,
                    budget=Budget(options["minutes"], options["megabytes"]),
                    resume=options["resume"],
                    network=network,
                    config=PretrainConfig.auto(
                        **traits_of(network.as_dict()), continued=start is not None, **dict(options["set"])
                    ),
                    start=start,
                    on_progress=on_progress,
                    on_validation=on_validation,
                    on_measuring=on_measuring,
                )
            except ValueError as error:
                raise CommandError(in_full(error)) from error
        if name in versions.SHIPPED.values():
            versions.base_model(Tier.of(network.as_dict()))
        bits = trained.meta["bits_per_character"]
        self.stdout.write(
            f"Saved the base model in {directory}: {bits:.4f} bits per character on {options['valid'].name}."
        )

    def _begin(
        self, directory: Path | None, network: str, shape: Mapping[str, int]
    ) -> tuple[Checkpoint | None, Network]:
        """Return the model to start from, if any, in this shape, and the network to train."""
        if directory is None:
            return None, _network(network)
        pretrained.require(checkpoint.describe(directory)["network"])
        start = checkpoint.load(directory)
        if not shape:
            return start, start.network
        try:
            grown, weights = reshaped(start.network, start.weights, **shape)
        except ValueError as error:
            raise CommandError(in_full(error)) from error
        return replace(start, network=grown, weights=weights), grown


def _network(text: str) -> Network:
    if text in NETWORKS:
        return NETWORKS[text]
    if text == SMOLLM2:
        return pretrained.packaged_network()
    try:
        return config_of(json.loads(text))
    except ValueError as error:
        known = ", ".join((*NETWORKS, SMOLLM2))
        raise CommandError(f"{text!r} is neither one of {known} nor a JSON object: {error}") from error
