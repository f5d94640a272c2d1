"""The job that imports an account's ZIP: first it checks everything, then it restores one thing after the other."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
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
from botfactory.your_data import form, importing
from botfactory.your_data.errors import ImportRefused
from botfactory.your_data.form import place_of
from botfactory.your_data.unpacking import Archive
from models_app.bots import files
from models_app.moving import bots, restoring
from tweets.corpora import moving
from tweets.corpora.errors import CorpusError
from tweets.models import Corpus

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
        self.numbers = partial(importing.number_in, handle.job)
        #: What was restored, by the ids that it has in the ZIP.
        self.corpora: dict[uuid.UUID, Corpus] = {}
        self.left_out: list[dict[str, Any]] = []
        self.told = 0.0

    def check(self) -> None:
        """Compare everything with the manifest, and read all descriptions. Raises ImportRefused."""
        self.archive.check(lambda share: self._tell(mark("Checking the ZIP"), share * _CHECK_SHARE))
        for folder, name in ((form.CORPORA, form.CORPUS), (form.BOTS, form.BOT)):
            for number in self.archive.things(folder):
                self.archive.described(place_of(folder, number, name))
        for name in (form.GENERATIONS, form.KEPT):
            for _line in self._lines(name):
                pass
        self._settings()

    def restore(self) -> dict[str, Any]:
        corpora, models = self.archive.things(form.CORPORA), self.archive.things(form.BOTS)
        whole = len(corpora) + len(models) + 1
        result: dict[str, Any] = {"corpora": [], "models": []}
        for step, number in enumerate((*corpora, *models)):
            self._tell(mark("Restoring posts and bots"), _CHECK_SHARE + (1 - _CHECK_SHARE) * step / whole, now=True)
            self.handle.check()
            if step < len(corpora):
                self._corpus(number, result["corpora"])
            else:
                self._bot(number, result["models"])
        self._tell(mark("Restoring what the bots wrote"), 0.98, now=True)
        owner, fenced = self.handle.job.owner, self.handle.fenced
        lines, numbers = self._lines, self.numbers
        written = restoring.generations(lines(form.GENERATIONS), owner=owner, numbers=numbers, fenced=fenced)
        kept = restoring.kept(lines(form.KEPT), owner=owner, numbers=numbers, fenced=fenced)
        mail, arguments = self._settings().mail, self.handle.job.arguments
        place = {"language": arguments.get("language", ""), "site": arguments.get("site", "")}
        with fenced():
            has_mail = notifications.restore(owner, **mail.model_dump(), **place)
        return result | {
            "generations": written.restored,
            "generations_left_out": written.left_out,
            "kept": kept.restored,
            "kept_left_out": kept.left_out,
            "mail": has_mail,
            "left_out": self.left_out,
        }

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

    def _corpus(self, number: uuid.UUID, into: list[dict[str, Any]]) -> None:
        values = self.archive.described(place_of(form.CORPORA, number, form.CORPUS))
        try:
            corpus = moving.restore(
                moving.read(values),
                owner=self.handle.job.owner,
                number=self.numbers(number),
                numbers=self.numbers,
                posts=partial(self.archive.lines, place_of(form.CORPORA, number, form.POSTS)),
                fenced=self.handle.fenced,
                check=self.handle.check,
            )
        except CorpusError as error:
            self._leave_out(values, error)
            return
        self.corpora[number] = corpus
        into.append({"id": str(corpus.pk), "name": corpus.name, "posts": corpus.posts_found})

    def _bot(self, number: uuid.UUID, into: list[dict[str, Any]]) -> None:
        values = self.archive.described(place_of(form.BOTS, number, form.BOT))
        name = place_of(form.BOTS, number, form.MODEL)
        if name not in self.archive:
            self._leave_out(values, Sentence(mark("The other Bot Factory couldn’t read its files.")))
            return
        try:
            facts = bots.read(values)
            of_archive = facts.corpus is not None and str(facts.corpus) in self.handle.job.arguments["corpora"]
            if of_archive and facts.corpus not in self.corpora:
                self._leave_out(values, Sentence(mark("The posts that it learned from were left out.")))
                return
            if self.archive.size(name) > bots.LARGEST:
                self._leave_out(values, Sentence(mark("It’s too large.")))
                return
            with tempfile.NamedTemporaryFile(dir=self.handle.work_dir, suffix=".zip") as file:
                self.archive.copy(name, file.file)
                file.flush()
                model = bots.restore(
                    facts,
                    job=self.handle.job,
                    number=self.numbers(number),
                    numbers=self.numbers,
                    file=Path(file.name),
                    corpus=self.corpora.get(facts.corpus) if facts.corpus is not None else None,
                    fenced=self.handle.fenced,
                )
        except bots.REFUSALS as error:
            self._leave_out(values, error)
            return
        into.append({"id": str(model.pk), "name": model.name})

    def _leave_out(self, values: Mapping[str, Any], why: object) -> None:
        name = str(values.get("name", "?"))[:80]
        said = why.args[0] if isinstance(why, CorpusError) else why
        self.left_out.append({"name": name, "why": str(said), "words": stored(said)})

    def _tell(self, message: str, fraction: float, *, now: bool = False) -> None:
        self.handle.check()
        if now or time.monotonic() - self.told > _TELL_SECONDS:
            self.handle.progress({"message": message, "fraction": round(fraction, 3)})
            self.told = time.monotonic()


def ended(job: Job) -> None:
    """Mark corpora of an unsuccessful import that aren't complete as failed. For JobKind."""
    moving.give_up(importing.number_in(job, uuid.UUID(number)) for number in job.arguments["corpora"])


def left_by(job: Job) -> list[Path]:
    """Return the folders in which killed attempts were restoring bots, which hold what these learned. For JobKind."""
    numbers = [importing.number_in(job, uuid.UUID(number)) for number in job.arguments["bots"]]
    return files.attempts_at(numbers, f"users/{job.owner_id}")


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
