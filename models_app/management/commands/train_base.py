from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from botfactory.ops.commands import ProductCommand, native_messages_to
from models_app import registry
from models_app.ml.errors import LearningError

if TYPE_CHECKING:
    from models_app.ml.pretrain import PretrainProgress, PretrainValidation


class Command(ProductCommand):
    help = "Train the base model on text files, a post a line. Ctrl-C saves the state; --resume goes on from there."
    sentences = (LearningError, registry.NoBaseModel)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--corpus", nargs="+", required=True, type=Path, metavar="FILE", help=".txt, .xz or .gz")
        parser.add_argument("--valid", required=True, type=Path, metavar="FILE", help="posts to measure on")
        parser.add_argument("--minutes", required=True, type=float, help="minutes of training, earlier ones included")
        parser.add_argument("--resume", action="store_true", help="go on from the saved state")

    def handle(self, *args: Any, **options: Any) -> None:
        # Imported late: it brings TensorFlow.
        from models_app.ml.pretrain import pretrain

        directory = Path(settings.CHECKPOINTS_DIR) / registry.BASE_DIRECTORY
        missing = [str(path) for path in [*options["corpus"], options["valid"]] if not path.is_file()]
        if missing:
            raise CommandError(f"There is no file {', '.join(missing)}.")
        bar_format = "{percentage:3.0f}%|{bar}| {desc}"
        log = Path(settings.LOGS_DIR) / "train_base.log"
        with (
            native_messages_to(log, self.stderr) as stream,
            tqdm(total=options["minutes"], desc="starting", bar_format=bar_format, file=stream) as bar,
        ):

            def on_progress(progress: PretrainProgress) -> None:
                bar.desc = (
                    f"{progress.minutes:.1f} of {progress.total_minutes:.0f} min, {progress.bytes_seen / 1e6:.1f} MB, "
                    f"{progress.bytes_per_second:,.0f} bytes/s, loss {progress.loss:.4f}"
                )
                bar.update(min(progress.minutes, progress.total_minutes) - bar.n)

            def on_validation(result: PretrainValidation) -> None:
                bar.write(
                    f"{result.minutes:6.1f} min: training loss {result.train_loss:.4f}, validation loss "
                    f"{result.validation_loss:.4f} ({result.bits_per_character:.3f} bits per character)"
                    f"{'  best so far' if result.best else ''}",
                    file=stream,
                )

            try:
                checkpoint = pretrain(
                    corpus=options["corpus"],
                    validation=options["valid"],
                    directory=directory,
                    minutes=options["minutes"],
                    resume=options["resume"],
                    on_progress=on_progress,
                    on_validation=on_validation,
                )
            except ValueError as error:
                raise CommandError(str(error)) from error
        registry.base_model()
        bits = checkpoint.meta["bits_per_character"]
        self.stdout.write(
            f"{directory} holds the base model: {bits:.4f} bits per character on {options['valid'].name}."
        )
