"""What the commands share: a file or a handle named at the terminal becomes a corpus, imported in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words import counted
from tweets import costs, services, whose
from tweets.models import Corpus
from tweets.sources.handles import Account


def add_import_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "what",
        metavar="FILE_OR_@HANDLE",
        help="posts: a file, an X archive (zip or tweets.js), @name.bsky.social, @name@mastodon.server, @name of X, or "
        "the address of a profile",
    )
    parser.add_argument(
        "--basis",
        choices=Corpus.Basis.values,
        default=Corpus.Basis.OWN.value,
        help="whose posts these are: your own (the default), somebody's who gave permission, a public figure's",
    )
    parser.add_argument(
        "--account",
        default="",
        metavar="@HANDLE",
        help="whose posts a file holds, for the label of its bots; needed with --basis public, unless an X archive "
        "names it",
    )
    parser.add_argument("--column", default="", help="the text column of a table, by its name or number")
    parser.add_argument("--keep-replies", action="store_true", help="learn from replies too")
    parser.add_argument("--keep-reposts", action="store_true", help="learn from reposts too")
    parser.add_argument("--yes", action="store_true", help="buy the posts of an X handle without asking")


def import_named(
    what: str, *, owner: User, options: dict[str, Any], tell: Callable[[str], None]
) -> tuple[Corpus, dict[str, Any]]:
    """The corpus and the counts of its import; CommandError with the sentence for the person when it failed."""
    rules = {"keep_replies": options["keep_replies"], "keep_reposts": options["keep_reposts"]}
    basis: str = options["basis"]

    def listener(kind: str, payload: dict[str, Any]) -> None:
        if kind == "page":
            tell(f"Got {counted(payload['new'], 'new post')}. Total {payload['total']:,}")
        elif kind == "note":
            tell(payload["message"])

    path = Path(what).expanduser()
    if path.is_file():
        with path.open("rb") as file:
            job = services.import_file(
                owner=owner,
                file=file,
                file_name=path.name,
                basis=basis,
                account=options["account"],
                column=options["column"],
                run_here=True,
                **rules,
            )
    elif what.startswith(("@", "did:")) or "://" in what:
        account = whose.account_to_bring(what)
        cursor = confirmed_cursor(account, yes=options["yes"], tell=tell) if account.network == "x" else ""
        job = services.import_handle(owner=owner, handle=what, basis=basis, cursor=cursor, run_here=True, **rules)
    else:
        raise CommandError(f"There is no file {what}. An account is named with an @ in front: @{path.name}")
    return imported(worker.run_claimed(job, listener=listener))


def confirmed_cursor(account: Account, *, yes: bool, tell: Callable[[str], None]) -> str:
    """Where the import of an account of X begins, after its cost was told and the person said Yes.

    Without `yes` there has to be somebody to ask: else CommandError, before anything is bought.
    """
    if not yes and not sys.stdin.isatty():
        raise CommandError(
            f"Importing @{account.handle} costs money, since X charges for each post, and there is no terminal to ask "
            "at. Give --yes to buy the posts without being asked."
        )
    estimate = costs.of_account(account)
    tell(str(estimate))
    if not yes:
        tell("Buy them? [y/N]")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CommandError(f"Nothing was imported. The look-up has cost ${estimate.look_up:.2f}.")
    return estimate.cursor


def imported(job: Job) -> tuple[Corpus, dict[str, Any]]:
    if job.state == State.QUEUED:
        raise CommandError(
            f"{job.progress.get('message', 'The source asked to come back later.')} What has come is kept; the workers "
            f"of `manage.py run` go on at {job.available_at:%H:%M} UTC."
        )
    if job.state != State.SUCCEEDED:
        raise CommandError(job.error_message or "The import was cancelled.")
    return Corpus.objects.get(pk=job.arguments["corpus"]), job.result
