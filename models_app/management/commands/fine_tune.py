from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.states import State
from botfactory.ops.commands import OwnerCommand, in_full, native_messages_to, setting
from botfactory.words.plurals import counted
from models_app.bots import epochs, naming, versions
from models_app.bots.errors import ModelError
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import MIN_EPOCHS, SamplingConfig
from models_app.ml.errors import LearningError
from models_app.sharing import access
from models_app.training import language_advice, planning, starting_points
from models_app.writing import generations
from tweets.corpora import services as corpora
from tweets.corpora import summary
from tweets.corpora.errors import CorpusError
from tweets.importing import terminal
from tweets.models import Corpus


class Command(OwnerCommand):
    help = "Import posts, train a bot on them, and let it write a few posts."
    sentences = (CorpusError, ModelError, naming.BadName, versions.NoBaseModel, LearningError)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        terminal.add_import_arguments(parser)
        parser.add_argument(
            "--epochs",
            type=int,
            help="how often all posts are read: 1 (faster) to 10 (better; 3 for a fluent bot); default for a quick "
            "bot: depends on the size of the corpus, mostly 2",
        )
        parser.add_argument(
            "--minutes",
            type=int,
            help="how long a fluent training may take; it reads the newest posts that fit into this time (default: "
            f"{planning.DEFAULT_MINUTES}; or choose --epochs)",
        )
        parser.add_argument(
            "--tier", choices=Tier.values, help="kind of bot (default: fluent if it's offered, else quick)"
        )
        parser.add_argument("--start", metavar="MODEL", help="model to start from (default: the tier's base model)")
        parser.add_argument("--name", default="", help="name of the new model")
        parser.add_argument("--seed", type=int, help="the same seed gives the same result, if as many posts are read")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            type=setting,
            metavar="NAME=VALUE",
            help=f"set a value instead of the default for this corpus: {', '.join(planning.SETTINGS)}",
        )
        parser.add_argument("--count", type=int, default=5, help="posts to print at the end (default: 5)")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = self.owner(options)
        start = self._start(owner, options)
        # Check the options before anything is imported.
        tier = Tier(start.tier)
        planning.require_offered(tier)
        if options["epochs"] is not None:
            planning.require_epochs(options["epochs"], tier)
        if options["minutes"] is not None:
            planning.require_minutes(options["minutes"], options["epochs"], tier)
        planning.training_config(1, MIN_EPOCHS, 0, dict(options["set"]), kind=start.network["kind"])
        if options["name"]:
            naming.valid_name(options["name"])
        sampling = None
        if options["count"]:
            try:
                sampling = SamplingConfig(count=options["count"], seed=options["seed"])
            except ValueError as error:
                raise CommandError(in_full(error)) from error
        corpus = self._corpus(options["what"], owner, options)
        report = summary.report(corpus)
        self.tell(f"{corpus.name}: {report.kept:,} of {counted(report.found, 'post')} kept. {report.advice}")
        if warning := language_advice.warning_for(corpus, start):
            self.tell(warning)
        model = self._train(owner, corpus, start, options)
        generation = generations.generate(model=model, owner=owner, sampling=sampling) if sampling else None
        posts = generation.posts if generation else []
        if options["json"]:
            self.write_json(
                {
                    "model": str(model.pk),
                    "name": model.full_name,
                    "corpus": str(corpus.pk),
                    "kept_epoch": model.kept_epoch,
                    "interpolation": model.interpolation,
                    "bits_per_character": model.bits_per_character,
                    "seconds": model.seconds,
                    "report": model.report,
                    "epochs": [
                        {k: v for k, v in epoch.items() if k not in ("samples", "continued")} for epoch in model.history
                    ],
                    "posts": posts,
                }
            )
            return
        if model.report:
            self.tell(f"Report card: {model.report_sentence}.")
        self.stdout.write(f"{model.full_name} is ready (model {model.pk}). It writes:\n")
        for post in posts:
            self.stdout.write(f"  {post}\n")
        if generation and generation.refused_because:
            self.tell(f"Refused drafts: {'; '.join(generation.refused_because)}.")

    def _start(self, owner: User, options: dict[str, Any]) -> TrainedModel:
        tier = Tier(options["tier"]) if options["tier"] else None
        if not options["start"]:
            return starting_points.start_for_user(owner, None, tier)
        start = access.find_model(options["start"], user=owner if options["owner"] else None)
        starting_points.require_tier(start, tier)
        return start

    def _corpus(self, what: str, owner: User, options: dict[str, Any]) -> Corpus:
        """Return the existing corpus with this id, or import the posts into a new one."""
        try:
            corpus_id = uuid.UUID(what)
        except ValueError:
            return terminal.import_named(what, owner=owner, options=options, tell=self.tell)[0]
        try:
            return corpora.corpus_for_user(owner, corpus_id)
        except Corpus.DoesNotExist:
            raise CommandError(f"There is no corpus {what}.") from None

    def _train(self, owner: User, corpus: Corpus, start: TrainedModel, options: dict[str, Any]) -> TrainedModel:
        job = planning.fine_tune(
            owner=owner,
            corpus=corpus,
            start=start,
            epochs=options["epochs"],
            minutes=options["minutes"],
            name=options["name"],
            seed=options["seed"],
            settings=dict(options["set"]),
            run_here=True,
        )
        unit = epochs.unit_of(job.arguments["chosen"])
        bar_format = "{percentage:3.0f}%|{bar}| {desc}"
        log = Path(settings.LOGS_DIR) / "fine_tune.log"
        with (
            native_messages_to(log, self.stderr) as stream,
            tqdm(total=1.0, desc="starting", bar_format=bar_format, file=stream) as bar,
        ):

            def listener(kind: str, payload: dict[str, Any]) -> None:
                if kind == "epoch":
                    best = "  best so far" if payload["best"] else ""
                    bar.write(
                        f"{unit} {payload['epoch']}: training loss {payload['train_loss']:.4f}, "
                        f"validation loss {payload['validation_loss']:.4f}{best}",
                        file=stream,
                    )
                elif payload.get("phase") == "training":
                    bar.desc = (
                        f"{unit} {payload['epoch']} of {payload['epochs']}, loss {payload['loss']:.3f}, "
                        f"{payload['seconds_left']:.0f} s left"
                    )
                    bar.update(max(0.0, payload["fraction"] - bar.n))

            job = worker.run_claimed(job, listener=listener)
            bar.desc = "done"
            bar.update(1.0 - bar.n)
        if job.state == State.QUEUED:
            raise CommandError(
                f"{job.progress.get('message', 'The training was interrupted.')} Its progress is saved. The workers of "
                f"`manage.py run` continue at {job.available_at:%H:%M} UTC."
            )
        if job.state != State.SUCCEEDED:
            raise CommandError(job.error_message or "The training was cancelled.")
        return TrainedModel.objects.select_related("owner").get(pk=job.result["model"])
