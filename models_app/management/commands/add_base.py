from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from botfactory.ops.commands import ProductCommand
from models_app import machines
from models_app.base_models import adding, versions
from models_app.base_models.services import BaseError, promote
from models_app.ml.errors import LearningError
from models_app.models import Tier, TrainedModel


class Command(ProductCommand):
    help = (
        "Add a base model: a pretrained Llama (GGUF file or Hugging Face directory), or the tutorial's LSTM (.h5 file "
        "of Keras, or a ZIP with model.json of TensorFlow.js)."
    )
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
        if model.tier == Tier.QUICK:
            self._tell_small(model, options)
            return
        facts = adding.facts_of(model, machines.measured_speed(Tier.FLUENT))
        if options["json"]:
            self.write_json({"model": str(model.pk), "name": model.name, "is_base": model.is_base, **asdict(facts)})
            return
        self.stdout.write(
            f"{model.name} is here: {facts.parameters:,} parameters, licence {facts.licence or 'unknown'}. Writing "
            f"takes about {facts.memory_to_write / 10**9:.1f} GB of memory. Training needs about "
            f"{facts.memory_to_train / 10**9:.1f} GB; the expected speed on an idle machine is about "
            f"{facts.characters_per_second:,.0f} characters per second. These are estimates, scaled from SmolLM2-135M."
        )
        self._tell_start(options, "New fluent bots start from it.")

    def _tell_small(self, model: TrainedModel, options: dict[str, Any]) -> None:
        """Say what was added, for a small network."""
        if options["json"]:
            known = {"network": model.network, **model.training["converted_from"]}
            self.write_json({"model": str(model.pk), "name": model.name, "is_base": model.is_base, **known})
            return
        self.stdout.write(
            f"{model.name} is here: an LSTM of {model.network['units']} units. It knows the "
            f"{model.training['converted_from']['symbols']} symbols of the tutorial; a training teaches it the others."
        )
        self._tell_start(options, "New quick bots start from it.")

    def _tell_start(self, options: dict[str, Any], promoted: str) -> None:
        self.stdout.write(
            promoted if options["promote"] else "Nobody starts from it yet: promote it in Admin, Base models."
        )
