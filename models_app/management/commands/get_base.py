from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.template.defaultfilters import filesizeformat
from tqdm import tqdm

from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.ops.commands import OwnerCommand
from models_app.bases.getting import facts, services
from models_app.bases.services import BaseError, promote
from models_app.bots.rows import TrainedModel


class Command(OwnerCommand):
    help = "Get a pretrained model from the Hugging Face Hub as a base model, or list the suggested ones."
    sentences = (BaseError,)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "repository", nargs="?", metavar="REPOSITORY", help="owner/name (default: list the suggested models)"
        )
        parser.add_argument(
            "--revision", default="", help="a branch, tag or commit (default: the suggested commit, or the newest)"
        )
        parser.add_argument("--name", default="", help="the name of the base model (default: that of the repository)")
        parser.add_argument("--promote", action="store_true", help="new fluent bots start from it")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["repository"]:
            self._list(as_json=options["json"])
            return
        owner = self.owner(options)
        services.require_allowed(owner)
        found = facts.looked_up(options["repository"], options["revision"])[1]
        self.tell(_line(found))
        if found.why_not:
            raise CommandError(found.why_not)
        job = services.get(
            by=owner, repository=found.repository, revision=found.revision, name=options["name"], run_here=True
        )
        model = TrainedModel.objects.get(pk=self._fetch(job, found).result["model"])
        if options["promote"]:
            promote(model, by=None)
        if options["json"]:
            self.write_json(
                {"model": str(model.pk), "name": model.name, "is_base": model.is_base, **model.training["source"]}
            )
            return
        self.stdout.write(f"{model.name} is here, from {found.repository} at {found.revision[:12]}.")
        self.stdout.write(
            "New fluent bots start from it."
            if options["promote"]
            else "Nobody starts from it yet: promote it in Admin, Base models."
        )

    def _list(self, *, as_json: bool) -> None:
        models = facts.of_suggested()
        if as_json:
            self.write_json([asdict(model) for model in models])
            return
        for model in models:
            self.stdout.write(_line(model))

    def _fetch(self, job: Job, found: facts.ModelFacts) -> Job:
        with tqdm(total=found.download, unit="B", unit_scale=True, file=getattr(self.stderr, "_out", None)) as bar:

            def listener(kind: str, payload: dict[str, Any]) -> None:
                if payload.get("phase") == "downloading":
                    bar.update(max(0, payload["bytes"] - bar.n))

            job = worker.run_claimed(job, listener=listener)
        if job.state == State.QUEUED:
            raise CommandError(
                f"{job.progress.get('message', 'The download was interrupted.')} What has come is kept. The workers of "
                f"`manage.py run` continue at {job.available_at:%H:%M} UTC."
            )
        if job.state != State.SUCCEEDED:
            raise CommandError(job.error_message or "The download was cancelled.")
        return job


def _line(model: facts.ModelFacts) -> str:
    words = model.for_page
    return (
        f"{model.repository} at {model.revision[:12]}{' (suggested)' if model.is_suggested else ''}. Licence: "
        f"{model.licence or 'unknown'}. Languages: {model.languages or 'unknown'}. Download: "
        f"{filesizeformat(model.download)}. Memory: about {words['write']} GB to write, {words['train']} GB to train. "
        f"Time for a bot of 3,200 posts: about {words['time']}."
    )
