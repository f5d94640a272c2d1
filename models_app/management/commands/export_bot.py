from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from botfactory.ops.commands import OwnerCommand
from models_app import downloads
from models_app.bots import versions
from models_app.bots.errors import ModelError
from models_app.ml.errors import LearningError
from models_app.sharing import access


class Command(OwnerCommand):
    help = "Write a bot to a file for another library: Keras, ONNX, TensorFlow.js, PEFT, llama.cpp (docs/bots.md)."
    sentences = (ModelError, versions.NoBaseModel, LearningError)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", metavar="MODEL", help="a bot's id, or its owner/name")
        parser.add_argument(
            "--format",
            default="native",
            metavar="FORMAT",
            help=f"{', '.join(downloads.FORMATS)}; default: native",
        )
        parser.add_argument("--out", type=Path, metavar="FILE", help="default: the bot's name, in the current folder")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.owner(options) if options["owner"] else None
        model = access.find_model(options["model"], user=user)
        if model.owner_id is None:
            raise CommandError(f"{model.full_name} is a base model. Name a bot.")
        if options["format"] not in (formats := downloads.formats_of(model, by_web=False)):
            message = f"{model.full_name} isn't available in that format. Choose one of: {', '.join(formats)}."
            raise CommandError(message)
        file = downloads.download(model, options["format"])
        path = options["out"] or Path(file.name)
        try:
            with path.open("xb") as out:
                shutil.copyfileobj(file.file, out)
        except FileExistsError as error:
            raise CommandError(f"{path} already exists. Name another file with --out.") from error
        except OSError as error:
            raise CommandError(f"Can't write {path}: {error.strerror}.") from error
        finally:
            file.file.close()
        if options["json"]:
            self.write_json({"model": str(model.pk), "file": str(path), "bytes": file.size, "sha256": file.sha256})
            return
        self.stdout.write(f"{path}: {file.size / 10**6:.1f} MB. {model.parody_label}")
