from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from botfactory.ops.commands import ProductCommand
from models_app.bases import adding
from models_app.bases.services import BaseError, promote
from models_app.bots import versions
from models_app.bots.rows import Tier
from models_app.ml.errors import LearningError
from models_app.training import machines


class Command(ProductCommand):
    help = "Add a pretrained Llama as a base model: a GGUF file or a Hugging Face directory."
    sentences = (BaseError, LearningError, versions.NoBaseModel)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="DIRECTORY_OR_FILE", help="a .gguf file, or a directory")
        parser.add_argument("--name", default="", help="the name of the base model; default: as its files say")
        parser.add_argument("--promote", action="store_true", help="new fluent bots start from it")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        model = adding.add(options["path"], name=options["name"])
        if options["promote"]:
            promote(model, by=None)
        facts = adding.facts_of(model, machines.measured_speed(Tier.FLUENT))
        if options["json"]:
            self.write_json({"model": str(model.pk), "name": model.name, "is_base": model.is_base, **asdict(facts)})
            return
        self.stdout.write(
            f"{model.name} is here: {facts.parameters:,} parameters, licence {facts.licence or 'unknown'}. Writing "
            f"takes about {facts.memory_to_write / 10**9:.1f} GB of memory. Training needs about "
            f"{facts.memory_to_train / 10**9:.1f} GB; the expected speed on an idle machine is about "
            f"{facts.characters_per_second:,.0f} characters per second. These are estimates."
        )
        self.stdout.write(
            "New fluent bots start from it."
            if options["promote"]
            else "Nobody starts from it yet: promote it in Admin, Base models."
        )
