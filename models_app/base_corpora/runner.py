"""The job that prepares a corpus. It starts over after a lost worker, and leaves nothing but a whole corpus."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings as site
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind
from botfactory.jobs.models import Job
from botfactory.translatable import mark
from botfactory.translation import translated
from models_app.base_corpora import files, services
from models_app.base_corpora.apart import PAUSE, prepare_apart
from models_app.base_models import runner as base_runner
from models_app.base_models.services import BaseError
from tweets.preparation import Format, PreparationError, Progress, prepare
from tweets.preparation.preparing import REPORT

#: The share of the time that each phase takes, measured on half a million posts.
_PHASES: Final = {"reading": (0.0, 0.8), "comparing": (0.8, 0.1), "writing": (0.9, 0.1)}

#: Seconds from when on the time left is worth telling.
_SETTLED: Final = 3.0
#: Inputs of fewer bytes are prepared before other processes have started.
_SMALL: Final = 5_000_000
#: What the command calls options of the form.
_WORDS: Final = {
    "--format": "“Format”",
    "--encoding": "“Encoding”",
    "--column": "“Text column”",
    "--author-column": "“Author column”",
    # The page lacks these two.
    ", name its format with --format, or allow more with --bad-lines": " or name its format with “Format”",
    ", or use --processes 1, and run it again": " and prepare the corpus again",
}


def run_prepare_corpus(handle: JobHandle) -> dict[str, Any]:
    """Prepare the corpus; return its name, files and report."""
    job = handle.job
    base_runner.require_administrator(handle)
    done = files.made_by(job.pk)
    if done is None:
        # An earlier attempt was killed. What it has left can't be continued.
        files.remove_unfinished(job.pk)
        folder = files.unfinished(job.pk, handle.attempt)
        try:
            _prepare(handle, folder)
            (folder / files.JOB_FILE).write_text(f"{job.pk}\n", encoding="utf-8")
            with handle.fenced():
                files.put_in_place(folder, job.arguments["name"])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        done = files.made_by(job.pk)
    if done is None:
        raise JobFailed("corpus_gone", mark("The prepared corpus was moved or deleted. Prepare it again."))
    return {"name": done.name, "files": done.files, "report": done.report}


def _prepare(handle: JobHandle, folder: Path) -> None:
    arguments = handle.job.arguments
    options = services.Options.from_dict(arguments["options"])
    # The paths of the server are nobody's business, so reports and errors show names.
    shown: dict[str, str] = {}
    try:
        for name in arguments["inputs"]:
            shown[str(files.raw_file(name))] = name
        if arguments["uploaded"]:
            shown[str(_uploaded(handle))] = arguments["uploaded"]
        inputs = [Path(path) for path in shown]
        is_small = sum(path.stat().st_size for path in inputs) < _SMALL
        kind = Format(options.format) if options.format else None
        reporter = _Reporter(handle)
        if is_small:
            prepare(inputs, folder, options.recipe(), kind=kind, processes=1, on_progress=reporter)
        else:
            prepare_apart(
                inputs,
                folder,
                options.recipe(),
                kind=kind,
                nice=site.TRAINER_NICE,
                on_progress=reporter,
                check=handle.check,
            )
    except PreparationError as error:
        raise JobFailed(error.code, _without_paths(translated(error), shown | _WORDS)) from error
    except BaseError as error:
        raise JobFailed(error.code, error) from error
    _show_names(folder, shown)


def _uploaded(handle: JobHandle) -> Path:
    found = sorted((handle.work_dir / services.UPLOADED).glob("*"))
    if not found:
        raise JobFailed("file_gone", mark("The uploaded file is no longer here. Upload it again."))
    return found[0]


def _show_names(folder: Path, shown: Mapping[str, str]) -> None:
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    for each in report["inputs"]:
        each["file"] = shown.get(each["file"], each["file"])
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _without_paths(text: str, shown: Mapping[str, str]) -> str:
    # The longest first: a path may be the beginning of another.
    for path in sorted(shown, key=len, reverse=True):
        text = text.replace(path, shown[path])
    return text


class _Reporter:
    """Tell the job how far its preparation is, and end it when the job is cancelled or lost."""

    def __init__(self, handle: JobHandle) -> None:
        self._handle = handle
        self._begun = self._told = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        self._handle.check()
        now = time.monotonic()
        if now - self._told < PAUSE:
            return
        self._told = now
        start, share = _PHASES[progress.phase]
        fraction = start + share * progress.fraction
        spent = now - self._begun
        told: dict[str, Any] = {
            "phase": progress.phase,
            "fraction": round(fraction, 4),
            "posts": progress.posts,
        }
        if spent > _SETTLED and fraction > 0:
            told["seconds_left"] = round(spent * (1 - fraction) / fraction, 1)
        self._handle.progress(told)


def _forget(job: Job) -> None:
    """Delete what a cancelled or failed preparation has left."""
    transaction.on_commit(lambda: files.remove_unfinished(job.pk))


def _page(job: Job) -> dict[str, Any]:
    from models_app.base_corpora.table import table_of

    return {"table": table_of(job.result["report"]) if job.result and "report" in job.result else None}


KIND: Final = JobKind(
    name=services.PREPARE_CORPUS,
    label=_("Preparation of a corpus"),
    template="models_app/preparation_job.html",
    context=_page,
    run=run_prepare_corpus,
    may_start=services.may_start,
    ended=_forget,
    to_take_less=_("Choose fewer files."),
)
