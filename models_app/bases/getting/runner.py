"""The job that gets a base model: it downloads the files of one commit, verifies them and adds the model."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.errors import ComeBackLater, JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.interruptions import setbacks
from botfactory.jobs.kinds import JobKind
from botfactory.outages.errors import Cause
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import stored
from models_app.bases import adding
from models_app.bases import services as bases
from models_app.bases.getting import facts, fetching, hub, services
from models_app.bots import files
from models_app.bots.rows import TrainedModel
from models_app.ml.errors import LearningError
from models_app.training import tiers

#: After so many tries in a row that bring nothing, the job fails. The pauses grow.
ATTEMPTS: Final = 6
PAUSE: Final = timedelta(seconds=30)
#: In the job's folder: what the repository has, from the first attempt on, and the folder of its files.
SNAPSHOT: Final = "snapshot.json"
FILES: Final = "files"
#: Seconds between two updates of the progress.
_TELL: Final = 0.5
#: Seconds from when on the time left is worth telling.
_SETTLED: Final = 3.0


def run_get_base(handle: JobHandle) -> dict[str, Any]:
    """Download and add the model; return its id, its name, and what it was made of."""
    number = uuid.uuid5(handle.job.pk, "model")
    done = TrainedModel.objects.filter(pk=number).first()
    if done is not None:
        # An earlier attempt added it already.
        return _result(done)
    if not bases.may_add(handle.job.owner):
        raise JobFailed("not_allowed", mark("Only administrators can do this, and you’re no longer one."))
    counter = _Counter(handle)
    try:
        snapshot = _snapshot(handle)
        counter.total = snapshot.bytes
        folder = handle.work_dir / FILES / snapshot.repository.rpartition("/")[2]
        counter.begin(fetching.here(snapshot, folder))
        fetching.fetch(snapshot, folder, counter)
        handle.progress(_said(Sentence(mark("Reading the model"))) | {"phase": "adding", "fraction": 1.0})
        source = {"repository": snapshot.repository, "commit": snapshot.commit}
        added = adding.add(
            folder,
            name=handle.job.arguments["name"],
            number=number,
            about={"source": source},
            fenced=handle.fenced,
            job=handle.job,
        )
    except hub.HubUnavailable as error:
        if counter.arrived:
            handle.record("received", {"bytes": counter.arrived})
        failures = setbacks(handle.job, Cause.SOURCE) + 1
        if failures < ATTEMPTS:
            raise ComeBackLater(timezone.now() + PAUSE * failures, error, cause=Cause.SOURCE) from error
        raise JobFailed(error.code, error) from error
    except bases.BaseError as error:
        raise JobFailed(error.code, error) from error
    except LearningError as error:
        # The files are what the hub has, so another try would read the same.
        shutil.rmtree(handle.work_dir / FILES, ignore_errors=True)
        raise JobFailed(error.code, error) from error
    return _result(added)


def _result(model: TrainedModel) -> dict[str, Any]:
    return {"model": str(model.pk), "name": model.name, **model.training.get("source", {})}


def _snapshot(handle: JobHandle) -> hub.Snapshot:
    """Return what the job downloads: what the hub has now or, once the download has begun, what it had then."""
    path = handle.work_dir / SNAPSHOT
    if path.is_file():
        return hub.Snapshot.from_dict(json.loads(path.read_text(encoding="utf-8")))
    handle.progress(_said(Sentence(mark("Asking %(host)s"), host=hub.host())) | {"phase": "looking"})
    arguments = handle.job.arguments
    snapshot, found = facts.looked_up(arguments["repository"], arguments["revision"])
    if found.why_not:
        raise JobFailed("no_room", found.why_not)
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(snapshot.as_dict()), encoding="utf-8")
    staged.replace(path)
    return snapshot


def _said(sentence: Sentence) -> dict[str, Any]:
    return {"message": str(sentence), "words": stored(sentence)}


class _Counter:
    """Tells the job how much of the download is here, and ends the attempt if the job is cancelled or gives way."""

    def __init__(self, handle: JobHandle) -> None:
        self._handle = handle
        self._first = self._here = 0
        self._begun = self._told = time.monotonic()
        self.total = 0

    @property
    def arrived(self) -> int:
        """Return how many bytes this attempt has brought."""
        return max(0, self._here - self._first)

    def begin(self, here: int) -> None:
        """Count from so many bytes on, which an earlier attempt has brought."""
        self._first = self._here = here
        self._begun = time.monotonic()

    def __call__(self, here: int) -> None:
        self._handle.check()
        if self._handle.should_yield():
            raise ComeBackLater(timezone.now(), mark("Paused while other jobs run."))
        self._here = max(self._here, here)
        now = time.monotonic()
        if now - self._told < _TELL:
            return
        self._told = now
        if self.arrived:
            self._handle.saved()
        message = mark("%(here)s of %(total)s GB downloaded")
        sentence = Sentence(message, here=tiers.gigabytes(here), total=tiers.gigabytes(self.total))
        told = _said(sentence) | {"phase": "downloading", "bytes": here, "fraction": round(here / self.total, 4)}
        spent = now - self._begun
        if spent > _SETTLED and self.arrived:
            told["seconds_left"] = round(spent * (self.total - self._here) / self.arrived, 1)
        self._handle.progress(told)


KIND: Final = JobKind(
    name=services.GET_BASE,
    label=_("Download of a base model"),
    template="models_app/base_added_job.html",
    run=run_get_base,
    left_by=files.left_by,
    preemptible=True,
    again=_("Continue"),
    kept=_("What has been downloaded is kept. “Continue” goes on from there."),
    to_take_less=_("Choose a smaller model."),
)
