"""The job that imports an account's ZIP: first it checks everything, then it restores one thing after the other."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from botfactory.accounts import notifications
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import restored, stored
from botfactory.your_data import form, importing, parts
from botfactory.your_data.errors import ImportRefused
from botfactory.your_data.form import place_of
from botfactory.your_data.parts import CantMove, Import, Things
from botfactory.your_data.unpacking import Archive

#: Seconds between two updates of the progress.
_TELL_SECONDS: Final = 0.4
#: The share of the bar for checking; the rest is for restoring.
_CHECK_SHARE: Final = 0.2


def run_import(handle: JobHandle) -> dict[str, Any]:
    """Import the ZIP in the job's folder, and return what was restored and what was left out, with the reasons."""
    file = handle.work_dir / importing.FILE
    if not file.is_file():
        raise JobFailed("upload_gone", Sentence(mark("The uploaded file no longer exists. Upload it again.")))
    try:
        with Archive(file) as archive:
            run = _Run(handle, archive)
            run.check()
            return run.restore()
    except ImportRefused as error:
        raise JobFailed(error.code, error) from error


class _Run:
    """One attempt at an import."""

    def __init__(self, handle: JobHandle, archive: Archive) -> None:
        self.handle, self.archive = handle, archive
        numbers = partial(importing.number_in, handle.job)
        self.part = Import(handle.job, archive, handle.work_dir, handle.fenced, handle.check, numbers)
        self.left_out: list[dict[str, Any]] = []
        self.told = 0.0

    def check(self) -> None:
        """Compare everything with the manifest, and read all descriptions. Raises ImportRefused."""
        self.archive.check(lambda share: self._tell(mark("Checking the ZIP"), share * _CHECK_SHARE))
        for things, number in self._things():
            self.archive.described(place_of(things.folder, number, things.description))
        for rows, _restore in parts.restorable():
            for _line in self._lines(rows.file):
                pass
        self._settings()

    def restore(self) -> dict[str, Any]:
        found = self._things()
        result: dict[str, Any] = {things.limit: [] for things in parts.THINGS}
        for step, (things, number) in enumerate(found):
            fraction = _CHECK_SHARE + (1 - _CHECK_SHARE) * step / (len(found) + 1)
            self._tell(mark("Restoring posts and bots"), fraction, now=True)
            self.handle.check()
            self._thing(things, number, result[things.limit])
        self._tell(mark("Restoring what the bots wrote"), 0.98, now=True)
        for rows, restore in parts.restorable():
            done = restore(self._lines(rows.file), self.part)
            result |= {rows.name: done.restored, f"{rows.name}_left_out": done.left_out}
        mail, arguments = self._settings().mail, self.handle.job.arguments
        place = {"language": arguments.get("language", ""), "site": arguments.get("site", "")}
        with self.handle.fenced():
            has_mail = notifications.restore(self.handle.job.owner, **mail.model_dump(), **place)
        return result | {"mail": has_mail, "left_out": self.left_out}

    def _things(self) -> list[tuple[Things, uuid.UUID]]:
        return [
            (things, number)
            for things in parts.THINGS
            for number in self.archive.things(things.folder, things.description)
        ]

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        for line in self.archive.lines(name):
            self.handle.check()
            yield line

    def _settings(self) -> form.Settings:
        """Return the person's settings; the defaults for a ZIP without them. Raises ImportRefused for wrong ones."""
        if form.SETTINGS not in self.archive:
            return form.Settings()
        try:
            return form.Settings.model_validate(self.archive.described(form.SETTINGS))
        except ValidationError as error:
            raise ImportRefused(
                mark("%(file)s has values that this Bot Factory can’t read."), file=form.SETTINGS
            ) from error

    def _thing(self, things: Things, number: uuid.UUID, into: list[dict[str, Any]]) -> None:
        values = self.archive.described(place_of(things.folder, number, things.description))
        content = place_of(things.folder, number, things.content)
        try:
            if content not in self.archive:
                raise CantMove(Sentence(mark("The other Bot Factory couldn’t read its files.")))
            restored = things.restore(values, content, self.part)
        except CantMove as error:
            name = str(values.get("name", "?"))[:80]
            self.left_out.append({"name": name, "why": str(error.why), "words": stored(error.why)})
            return
        self.part.restored[number] = restored
        into.append(things.shown(restored))

    def _tell(self, message: str, fraction: float, *, now: bool = False) -> None:
        self.handle.check()
        if now or time.monotonic() - self.told > _TELL_SECONDS:
            self.handle.progress({"message": message, "fraction": round(fraction, 3)})
            self.told = time.monotonic()


def ended(job: Job) -> None:
    """Let the apps give up what an unsuccessful import hasn't completed. For JobKind."""
    for things in parts.THINGS:
        if things.give_up is not None:
            things.give_up(_new_numbers(job, things))


def left_by(job: Job) -> list[Path]:
    """Return the folders in which killed attempts were restoring things. For JobKind."""
    made = [things.left_by(job, _new_numbers(job, things)) for things in parts.THINGS if things.left_by is not None]
    return [folder for folders in made for folder in folders]


def _new_numbers(job: Job, things: Things) -> list[uuid.UUID]:
    return [importing.number_in(job, uuid.UUID(number)) for number in job.arguments[things.folder]]


def page_context(job: Job) -> dict[str, Any]:
    """Return what was left out, in the active language. For JobKind."""
    left_out = job.result.get("left_out", [])
    return {"left_out": [{"name": entry["name"], "why": restored(entry["why"], entry["words"])} for entry in left_out]}


KIND: Final = JobKind(
    name=importing.IMPORT_ACCOUNT,
    label=_("Import of a ZIP"),
    template="your_data/import_job.html",
    context=page_context,
    run=run_import,
    needs=importing.needs,
    ended=ended,
    left_by=left_by,
    kept=_("What was imported so far is kept. “Try again” continues from there."),
)
