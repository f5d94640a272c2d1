"""Take an account's ZIP: the request makes the quick checks, and a job restores what is in it."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import transaction

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.handle import STAGED, discard_work_dir, work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words.translatable import Sentence, mark
from botfactory.your_data import parts
from botfactory.your_data.errors import ImportRefused
from botfactory.your_data.form import place_of
from botfactory.your_data.unpacking import Archive

IMPORT_ACCOUNT: Final = "import_account"
#: The ZIP in the folder of its job.
FILE: Final = "account.zip"
_BLOCK: Final = 1 << 20


def submit(*, owner: User, file: IO[bytes], language: str = "", site: str = "", run_here: bool = False) -> Job:
    """Keep the ZIP and queue the job that imports it. Raises ImportRefused and LimitReached, and then keeps nothing.

    The ZIPs of the person's earlier imports that failed or were cancelled are deleted.

    language, site: of the page that took the ZIP, for mails that the person wants.
    """
    place = Path(settings.JOBS_DIR)
    place.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f"{STAGED}account-", dir=place))
    try:
        with (staged / FILE).open("wb") as kept:
            shutil.copyfileobj(file, kept, _BLOCK)
        with Archive(staged / FILE) as archive:
            arguments = _contents(archive) | {"language": language, "site": site}
            title = Sentence(mark("Import the data of %(name)s"), name=archive.manifest.username or "?")
        # Until it ends, the ZIP itself takes room, whatever else is in it.
        arguments["bytes"] = max(arguments["bytes"], (staged / FILE).stat().st_size)
        with transaction.atomic():
            job = jobs.submit(owner=owner, kind=IMPORT_ACCOUNT, title=title, arguments=arguments, run_here=run_here)
            # Before the commit: after it, a worker can claim the job.
            shutil.move(staged, work_dir(job))
            # Of imports that didn't succeed, only the newest keeps its ZIP to be tried again.
            ended = Job.objects.filter(owner=owner, kind=IMPORT_ACCOUNT, state__in=(State.FAILED, State.CANCELLED))
            for earlier in ended:
                discard_work_dir(earlier)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return job


def needs(job: Job) -> Mapping[str, int]:
    """Return what the import will use of its owner's limits. For JobKind."""
    arguments = job.arguments
    counts = {things.limit: len(arguments[things.folder]) for things in parts.THINGS}
    return counts | {"stored_mb": limits.megabytes(arguments["bytes"])}


def number_in(job: Job, number: uuid.UUID) -> uuid.UUID:
    """Return the id under which the job restores a thing. It's the same at each attempt."""
    return uuid.uuid5(job.pk, str(number))


def _contents(archive: Archive) -> dict[str, Any]:
    contents: dict[str, Any] = {}
    names = [rows.file for rows, _restore in parts.restorable()]
    for things in parts.THINGS:
        numbers = archive.things(things.folder, things.description)
        contents[things.folder] = [str(number) for number in numbers]
        files = [place_of(things.folder, number, things.content) for number in numbers]
        missing = next((name for name in files if name not in archive), None)
        if missing is not None and things.needs_content:
            raise ImportRefused(
                mark("%(file)s is missing from the ZIP. Download it again from the other Bot Factory."), file=missing
            )
        names += files
    return contents | {"bytes": sum(archive.size(name) for name in names if name in archive)}
