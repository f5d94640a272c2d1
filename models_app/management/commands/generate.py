from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from botfactory.ops.commands import OwnerCommand, in_full
from botfactory.words.plurals import counted
from models_app.bots import refusals, versions
from models_app.bots.errors import ModelError
from models_app.ml.config import MAX_BEST_OF, SamplingConfig, usual
from models_app.ml.errors import LearningError
from models_app.sharing import access
from models_app.writing import generations


class Command(OwnerCommand):
    help = "Let a model write posts."
    sentences = (ModelError, versions.NoBaseModel, LearningError)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        fluent, quick = usual("llama"), usual("glr")
        parser.add_argument("model", metavar="MODEL", help="a model's id, its owner/name, or base")
        parser.add_argument("--count", type=int, default=10, help="number of posts, 1 to 100 (default: 10)")
        parser.add_argument(
            "--temperature",
            type=float,
            help="0 (safe) to 2 (wild) (default: "
            f"{fluent.temperature} for a fluent bot, {quick.temperature} for a quick one)",
        )
        parser.add_argument(
            "--top-k", type=int, default=0, help="choose only among the k most likely symbols, bytes or tokens (0: all)"
        )
        parser.add_argument(
            "--top-p",
            type=float,
            help="choose only among the most likely symbols with this total probability (1: all; default: "
            f"{fluent.top_p} for a fluent bot, {quick.top_p:g} for a quick one)",
        )
        parser.add_argument("--prompt", default="", help="text that each post begins with; … lets its last word go on")
        parser.add_argument("--about", default="", help="what the posts are to be about (fluent bots only)")
        parser.add_argument("--seed", type=int, help="the same seed gives the same posts")
        parser.add_argument("--max-characters", type=int, default=280, help="longest allowed post (default: 280)")
        parser.add_argument(
            "--ban",
            action="append",
            default=[],
            metavar="WORD",
            help="a word or phrase that no post may contain; can be given several times",
        )
        parser.add_argument(
            "--allow-copies", action="store_true", help="allow posts that are too close to learned ones"
        )
        parser.add_argument("--keep-mentions", action="store_true", help="don't hide @names")
        parser.add_argument(
            "--allow-personal-data",
            action="store_true",
            help="allow posts with email addresses, phone numbers and the like",
        )
        parser.add_argument("--allow-links", action="store_true", help="allow posts with links that the bot made up")
        parser.add_argument(
            "--best-of",
            type=int,
            metavar="N",
            help=f"the drafts for each post, 1 to {MAX_BEST_OF}, of which the one that makes most sense is kept "
            f"(default: {fluent.best_of} for a fluent bot, {quick.best_of} for a quick one)",
        )
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.owner(options) if options["owner"] else None
        model = access.find_model(options["model"], user=user)
        names = ("count", "temperature", "top_k", "top_p", "prompt", "about", "seed", "max_characters", "best_of")
        try:
            sampling = SamplingConfig(
                **{name: options[name] for name in names},
                banned=tuple(options["ban"]),
                copy_guard=not options["allow_copies"],
                mask_mentions=not options["keep_mentions"],
                personal_guard=not options["allow_personal_data"],
                link_guard=False if options["allow_links"] else None,
            )
        except ValueError as error:
            raise CommandError(in_full(error)) from error
        sampling = generations.settled(sampling, model)
        writing, seconds = generations.write(model, sampling)
        if options["json"]:
            self.write_json(
                {
                    "model": str(model.pk),
                    "name": model.full_name,
                    "posts": writing.posts,
                    "refused": writing.refused.as_dict(),
                    "seconds": round(seconds, 3),
                    "sampling": sampling.as_dict(),
                }
            )
            return
        for post in writing.posts:
            self.stdout.write(post)
        if sampling.is_greedy and sampling.count > 1 and writing.posts:
            self.tell(refusals.one_for_all())
        if reasons := refusals.reasons(writing.refused, sampling.max_characters, has_prompt=bool(sampling.prompt)):
            asked = counted(sampling.posts_to_write, "post")
            self.tell(f"{len(writing.posts)} of {asked}. Refused drafts: {'; '.join(reasons)}.")
