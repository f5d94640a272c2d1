from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.errors import JobError
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.ops.commands import OwnerCommand, native_messages_to
from botfactory.words.plurals import counted
from models_app.bases import services as base_services
from models_app.bots import naming, versions
from models_app.bots.errors import ModelError
from models_app.bots.rows import Tier
from models_app.ml.config import NETWORKS
from models_app.ml.errors import LearningError
from models_app.search import services as searches
from models_app.search import space as spaces
from models_app.search.how import DEFAULT_TRIALS, How
from models_app.search.outlook import outlook_of, with_trials
from models_app.search.rows import Search, Trial
from models_app.search.table import rows_of, shown
from models_app.sharing import access
from models_app.training import starting_points
from tweets.corpora import services as corpora
from tweets.corpora.errors import CorpusError
from tweets.models import Corpus


class Command(OwnerCommand):
    help = "Search for the best settings of a bot or of a base model, by many short trainings (docs/quality.md)."
    sentences = (
        CorpusError,
        ModelError,
        base_services.BaseError,
        naming.BadName,
        versions.NoBaseModel,
        LearningError,
        LimitReached,
        JobError,
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print one line of JSON")
        steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
        bot = steps.add_parser("start", help="search for the best settings of a bot")
        bot.add_argument("corpus", help="id of the corpus to learn")
        bot.add_argument(
            "--tier", choices=Tier.values, help="kind of bot (default: fluent if it's offered, else quick)"
        )
        bot.add_argument("--start", metavar="MODEL", help="model to start from (default: the tier's base model)")
        bot.add_argument("--minutes", type=int, help="how long each trial of a fluent bot learns (default: 3)")
        base = steps.add_parser("start-base", help="search for the best base model")
        base.add_argument("--corpus", nargs="+", default=[], metavar="FILE", help="files of posts under TRAINING_DIR")
        base.add_argument("--valid", default="", metavar="FILE", help="posts for validation, under TRAINING_DIR")
        base.add_argument("--network", default="glr", choices=sorted(NETWORKS), help="kind of network (default: glr)")
        length = base.add_mutually_exclusive_group(required=True)
        length.add_argument("--minutes", type=float, help="how long each trial learns")
        length.add_argument("--megabytes", type=float, help="how much each trial reads")
        for parts in (bot, base):
            parts.add_argument(
                "--space",
                required=parts is base,
                help=f"JSON, a file of JSON or TOML, or one of {', '.join(spaces.shipped_names())}"
                + ("" if parts is base else " (default: that of the tier)"),
            )
            parts.add_argument("--name", default="", help="name of the search")
            parts.add_argument("--trials", type=int, default=DEFAULT_TRIALS, help="(default: 20)")
            parts.add_argument("--sampler", default="tpe", choices=Search.Sampler.values, help="(default: tpe)")
            parts.add_argument("--pruner", default="median", choices=Search.Pruner.values, help="(default: median)")
            parts.add_argument("--at-once", type=int, default=1, help="trials that run at once (default: 1)")
            parts.add_argument("--seed", type=int, help="the same seed tries the same, if one trial runs at a time")
        show = steps.add_parser("show", help="show your searches, or the trials of one, the best first")
        show.add_argument("search", nargs="?", help="id of the search")
        for name, told in (("stop", "stop a search"), ("resume", "run the trials that are left")):
            steps.add_parser(name, help=told).add_argument("search", help="id of the search")
        more = steps.add_parser("add", help="add trials to a search")
        more.add_argument("search", help="id of the search")
        more.add_argument("trials", type=int, help="how many more")
        use = steps.add_parser("use", help="train a bot or a base model with the settings of a trial")
        use.add_argument("search", help="id of the search")
        use.add_argument("trial", nargs="?", type=int, help="number of the trial (default: the best)")
        use.add_argument("--name", default="", help="name of the new model")
        longer = use.add_mutually_exclusive_group()
        longer.add_argument("--minutes", type=float, help="length for a base model (default: that of the trial)")
        longer.add_argument("--megabytes", type=float, help="the same in megabytes read")
        for name in ("start", "start-base", "resume", "add"):
            steps.choices[name].add_argument(
                "--here", action="store_true", help="run the trials in this process instead of the workers"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        owner = self.owner(options)
        step: str = options["step"]
        if step == "show" and options["search"] is None:
            for found in with_trials(searches.searches_for_user(owner)):
                self._tell(found, options)
            return
        if step in ("start", "start-base"):
            search = self._start(owner, options) if step == "start" else self._start_base(owner, options)
        else:
            search = self._found(owner, options["search"])
        if step != "show":
            searches.require_may_change(owner, search)
        if step == "stop":
            searches.stop(search)
        elif step == "resume":
            searches.resume(search, by=owner, run_here=options["here"])
        elif step == "add":
            searches.add_trials(search, options["trials"], by=owner, run_here=options["here"])
        elif step == "use":
            self._use(search, owner, options)
            return
        if options.get("here"):
            self._run_here(search)
        self._tell(self._found(owner, str(search.pk)), options, with_trials=step == "show" or bool(options.get("here")))

    def _start(self, owner: User, options: dict[str, Any]) -> Search:
        try:
            corpus = corpora.corpus_for_user(owner, uuid.UUID(options["corpus"]))
        except (Corpus.DoesNotExist, ValueError):
            raise CommandError(f"There is no corpus {options['corpus']}.") from None
        tier = Tier(options["tier"]) if options["tier"] else None
        if options["start"]:
            start = access.find_model(options["start"], user=owner if options["owner"] else None)
            starting_points.require_tier(start, tier)
        else:
            start = starting_points.start_for_user(owner, None, tier)
        return searches.start_for_bot(
            owner=owner, corpus=corpus, start=start, minutes=options["minutes"], **_shared(options)
        )

    def _start_base(self, owner: User, options: dict[str, Any]) -> Search:
        return searches.start_for_base(
            by=owner,
            budget=base_services.Budget(options["minutes"], options["megabytes"]),
            files=options["corpus"],
            validation=options["valid"],
            network=options["network"],
            **_shared(options),
        )

    def _use(self, search: Search, owner: User, options: dict[str, Any]) -> None:
        budget = None
        if options["minutes"] or options["megabytes"]:
            if search.kind == Search.Kind.BOT:
                raise CommandError("A bot learns as long as the trial did. Only a base model can learn longer.")
            budget = base_services.Budget(options["minutes"], options["megabytes"])
        job = searches.use(search, options["trial"], by=owner, name=options["name"], budget=budget)
        if options["json"]:
            self.write_json({"job": str(job.pk), "title": job.title})
        else:
            self.stdout.write(f"{job.title}: queued as job {job.pk}.")

    def _found(self, owner: User, text: str) -> Search:
        try:
            return with_trials(searches.searches_for_user(owner)).get(pk=uuid.UUID(text))
        except (Search.DoesNotExist, ValueError):
            raise CommandError(f"There is no search {text}. `manage.py search show` lists yours.") from None

    def _run_here(self, search: Search) -> None:
        job = Job.objects.get(lane__search=search, at_terminal=True, state=State.RUNNING)

        def listener(kind: str, payload: dict[str, Any]) -> None:
            if kind == "trial":
                bits = payload["bits_per_character"]
                shown = "" if bits is None else f", {bits:.4f} bits per character"
                stream.write(f"trial {payload['trial']}: {payload['state']}{shown}\n")

        with native_messages_to(Path(settings.LOGS_DIR) / "search.log", self.stderr) as stream:
            while True:
                worker.run_claimed(job, listener=listener)
                job.refresh_from_db()
                # After each trial, the job is back in the queue.
                claimed = worker.claim(job.pk) if job.state == State.QUEUED else None
                if claimed is None:
                    break
                job = claimed
        if job.state == State.FAILED:
            raise CommandError(job.error_message)

    def _tell(self, search: Search, options: dict[str, Any], *, with_trials: bool = False) -> None:
        outlook = outlook_of(search)
        trials = [row.trial for row in rows_of(search, list(search.trials.all()))]
        if options["json"]:
            self.write_json(
                {
                    "search": str(search.pk),
                    "name": search.name,
                    "state": outlook.state,
                    "ended": outlook.ended,
                    "wanted": outlook.wanted,
                    "best": None if outlook.best is None else outlook.best.number,
                    "importance": search.importance,
                    "trials": [_as_json(trial) for trial in trials],
                }
            )
            return
        told = f"{outlook.ended} of {counted(outlook.wanted, 'trial')}, {outlook.state}"
        self.stdout.write(f"{search.name} ({search.pk}): {told}")
        for trial in trials if with_trials else ():
            bits = "–" if trial.bits_per_character is None else f"{trial.bits_per_character:.4f}"
            values = ", ".join(f"{name} {shown(value)}" for name, value in trial.parameters.items())
            self.stdout.write(f"  {trial.number:3}  {trial.state:8}  {bits:>7}  {trial.seconds:6.1f} s  {values}")


def _shared(options: dict[str, Any]) -> dict[str, Any]:
    how = How(**{name: options[name] for name in ("trials", "sampler", "pruner", "at_once", "seed")})
    space = None if options["space"] is None else _space(options["space"])
    return {"name": options["name"], "space": space, "how": how, "run_here": options["here"]}


def _space(text: str) -> dict[str, Any]:
    if text in spaces.shipped_names():
        return spaces.shipped(text)
    if text.lstrip().startswith("{"):
        return spaces.read(text)
    try:
        return spaces.read(Path(text).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(spaces.shipped_names())
        raise CommandError(f"Can't read the space {text} ({error}). Give a file, JSON, or one of {names}.") from error


def _as_json(trial: Trial) -> dict[str, Any]:
    names = ("number", "state", "parameters", "bits_per_character", "points", "seconds", "weights")
    return {name: getattr(trial, name) for name in names} | {"error": trial.why or None}
