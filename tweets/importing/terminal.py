"""Import a file or an account in the process of a command."""

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
from botfactory.words.plurals import counted
from tweets.corpora import offered, services, whose
from tweets.importing import costs
from tweets.models import Corpus
from tweets.sources.accounts import Account, is_certain
from tweets.sources.registry import kinds


def add_import_arguments(parser: CommandParser) -> None:
    ways = ", ".join(kind.at_terminal for kind in kinds() if kind.at_terminal)
    parser.add_argument(
        "what", metavar="FILE_OR_@HANDLE", help=f"the posts: {ways}, or the address of a profile".replace("%", "%%")
    )
    parser.add_argument(
        "--basis",
        choices=Corpus.Basis.values,
        default=Corpus.Basis.OWN.value,
        help="whose posts they are: your own (default), those of somebody who gave permission, or a public figure's",
    )
    parser.add_argument(
        "--account",
        default="",
        metavar="@HANDLE",
        help="the author of a file's posts, for the label of its bots; needed with --basis public, unless the file "
        "names the account",
    )
    parser.add_argument("--column", default="", help="name or number of a table's column with the posts")
    parser.add_argument("--keep-replies", action="store_true", help="learn from replies too")
    parser.add_argument("--keep-reposts", action="store_true", help="learn from reposts too")
    parser.add_argument("--yes", action="store_true", help="buy the posts of a paid network without asking")


def import_named(
    what: str, *, owner: User, options: dict[str, Any], tell: Callable[[str], None]
) -> tuple[Corpus, dict[str, Any]]:
    """Import the file or account into a new corpus, and return it with the counts of the import.

    Raises CommandError with a sentence if the import fails.
    """
    rules = {"keep_replies": options["keep_replies"], "keep_reposts": options["keep_reposts"]}
    basis: str = options["basis"]

    def listener(kind: str, payload: dict[str, Any]) -> None:
        if kind == "page":
            tell(f"{counted(payload['new'], 'new post')}. Total: {payload['total']:,}")
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
    elif what.startswith("@") or "://" in what or is_certain(what):
        account = whose.account_to_bring(what)
        cursor = confirmed_cursor(account, yes=options["yes"], tell=tell) if offered.is_paid(account.network) else ""
        job = services.import_handle(owner=owner, handle=what, basis=basis, cursor=cursor, run_here=True, **rules)
    else:
        raise CommandError(f"There is no file {what}. To import an account, put an @ in front: @{path.name}")
    return imported(worker.run_claimed(job, listener=listener))


def confirmed_cursor(account: Account, *, yes: bool, tell: Callable[[str], None]) -> str:
    """Show what the account costs, ask, and return the cursor with which its import begins.

    With `yes` nobody is asked. Raises CommandError if there is no terminal to ask at, before anything is bought.
    """
    if not yes and not sys.stdin.isatty():
        raise CommandError(
            f"Importing @{account.handle} costs money, because X charges for each post, and there is no terminal to "
            "ask at. Add --yes to buy the posts without being asked."
        )
    estimate = costs.of_account(account)
    tell(str(estimate))
    if not yes:
        tell("Buy them? [y/N]")
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise CommandError(f"Nothing was imported. Looking up the account cost ${estimate.look_up:.2f}.")
    return estimate.cursor


def imported(job: Job) -> tuple[Corpus, dict[str, Any]]:
    """Return the corpus and the counts of an import that has run. Raises CommandError unless it succeeded."""
    if job.state == State.QUEUED:
        raise CommandError(
            f"{job.progress.get('message', 'The source asks for a pause.')} The posts so far are kept. The workers of "
            f"`manage.py run` continue at {job.available_at:%H:%M} UTC."
        )
    if job.state != State.SUCCEEDED:
        raise CommandError(job.error_message or "The import was cancelled.")
    return Corpus.objects.get(pk=job.arguments["corpus"]), job.result
