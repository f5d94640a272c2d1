"""Base models from files of others: a pretrained model, as GGUF or from Hugging Face."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings as site
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence, mark
from models_app.bases import services as bases
from models_app.bases.staging import staged
from models_app.bots import files, frozen_weights, versions
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import LearningError
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.pretrained import Pretrained, PretrainedError
from models_app.ml.networks.llama.weights import first_adapter
from models_app.ml.training.adapters import memory
from models_app.training import machines, tiers

ADD_BASE: Final = "add_base"
SUFFIX: Final = ".gguf"
#: The name of the uploaded file in its job's folder.
_UPLOADED: Final = f"model{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What an administrator wants to know of a fluent base model.

    Memory is in bytes. Memory and speed are estimates from the shapes of the model.
    """

    parameters: int
    licence: str
    memory_to_write: int
    memory_to_train: int
    characters_per_second: float


def facts_of(model: TrainedModel, speed: float) -> Facts:
    """Return the facts of a fluent base. `speed`: the characters per second of trainings of the shipped one."""
    config = LlamaConfig.from_dict(model.network)
    return Facts(
        parameters=config.parameters,
        licence=str(model.training.get("licence", "")),
        memory_to_write=memory.bytes_to_write(config),
        memory_to_train=tiers.needed_memory(model),
        characters_per_second=speed / machines.times_as_long(model.network),
    )


def read(path: Path) -> Pretrained:
    """Return the model in a file or directory. Raises PretrainedError."""
    # Imported late: only the process that adds a model needs them.
    if path.is_dir():
        from models_app.ml.networks.llama.hugging_face import read_directory

        return read_directory(path)
    if not path.is_file():
        raise PretrainedError(mark("There’s no file or directory %(path)s."), path=path)
    if path.suffix.lower() != SUFFIX:
        message = mark("%(name)s isn’t a GGUF file. Name a %(suffix)s file, or a Hugging Face directory.")
        raise PretrainedError(message, name=path.name, suffix=SUFFIX)
    from models_app.ml.networks.llama.gguf_file import read_gguf

    return read_gguf(path)


def add(
    path: Path,
    *,
    name: str = "",
    number: uuid.UUID | None = None,
    about: Mapping[str, Any] | None = None,
    **values: Any,
) -> TrainedModel:
    """Add the model in a file or directory as a version of its tier's base. Nobody starts from it until it's promoted.

    The adapter of a pretrained model changes nothing yet. `about`: what else the version notes, such as its source.
    Raises LearningError, or BaseError for a bad name, and keeps nothing then.
    """
    found = read(path)
    known = TrainedModel.objects.filter(
        owner=None, origin=TrainedModel.Origin.UPLOADED, network__pretrained=found.config.pretrained
    )
    if (same := known.first()) is not None:
        raise PretrainedError(mark("This model was already added as %(name)s."), name=same.name)
    meta = {"name": found.name, "licence": found.licence, "parameters": found.config.parameters, **(about or {})}
    name = bases.free_name(name or found.name)
    place = Path(site.CHECKPOINTS_DIR) / versions.VERSIONS_DIRECTORY
    place.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".upload.new-", dir=place))
    try:
        adapter = first_adapter(found.config, seed=0)
        checkpoint.save(staged, network=found.config, weights=adapter, meta=meta, half=True)
        with frozen_weights.kept(found):
            return versions.add_version(staged, name=name, origin=TrainedModel.Origin.UPLOADED, number=number, **values)
    except OSError as error:
        message = mark("This server couldn’t store the model: %(reason)s. Free some disk space, then add it again.")
        raise PretrainedError(message, reason=error.strerror) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def upload(*, by: User, name: str, uploaded: IO[bytes]) -> Job:
    """Queue a job that adds the model in an uploaded GGUF file."""
    if not bases.may_add(by):
        raise bases.BaseError(_("Only an administrator can add base models."))
    with staged(uploaded, _UPLOADED) as hand_over, transaction.atomic():
        job = jobs.submit(
            owner=by,
            kind=ADD_BASE,
            title=Sentence(mark("Add the base model %(name)s"), name=name),
            arguments={"name": bases.free_name(name)},
        )
        hand_over(job)
    return job


def run_add_base(handle: JobHandle) -> dict[str, Any]:
    """Add the uploaded model; return its id and name."""
    number = uuid.uuid5(handle.job.pk, "model")
    done = TrainedModel.objects.filter(pk=number).first()
    if done is None:
        if not bases.may_add(handle.job.owner):
            raise JobFailed("not_allowed", mark("Only administrators can do this, and you’re no longer one."))
        path = handle.work_dir / _UPLOADED
        if not path.is_file():
            raise JobFailed("file_gone", mark("The uploaded file is no longer here. Upload it again."))
        handle.progress({"message": "Reading the model"})
        try:
            done = add(path, name=handle.job.arguments["name"], number=number, fenced=handle.fenced, job=handle.job)
        except (LearningError, bases.BaseError) as error:
            raise JobFailed(error.code, error) from error
    return {"model": str(done.pk), "name": done.name}


KIND: Final = JobKind(
    name=ADD_BASE,
    queue="train",
    label=gettext_lazy("New base model"),
    template="models_app/base_added_job.html",
    run=run_add_base,
    left_by=files.left_by,
    to_take_less=gettext_lazy("Choose a smaller model."),
)
