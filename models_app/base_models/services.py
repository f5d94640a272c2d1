"""The versions of the base model: promoted, rolled back, uploaded, trained and measured side by side."""

from __future__ import annotations

import math
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings as site
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from botfactory.words import counted, on_one_line
from models_app import integrity, registry
from models_app.base_models import archive as base_archive
from models_app.ml.config import NETWORKS, NetworkConfig, PretrainConfig
from models_app.models import BaseChange, TrainedModel
from tweets import services as corpora
from tweets.models import Corpus

TRAIN_BASE: Final = "train_base"
EVALUATE_BASES: Final = "evaluate_bases"
#: What files of posts, one a line, end with (ml/training/dataset.py).
POST_FILES: Final = (".txt", ".txt.xz", ".txt.gz")
MAX_FILES: Final = 1000
#: Of a job: the share of its time that training alone may take, since validations and the start come on top.
TRAINING_SHARE: Final = 0.8
#: A network that has learned already begins with smaller steps, or it forgets first.
CONTINUED_RATE: Final = 0.002
#: Where the recipe of a kind of network is another than PretrainConfig's (docs/base-model.md).
RECIPES: Final[Mapping[str, Mapping[str, Any]]] = {"lstm": {"optimizer": "adam", "final_learning_rate": 0.03}}
#: What may be set of a training beside its length.
SETTINGS: Final = (
    "batch_size",
    "sequence_length",
    "learning_rate",
    "final_learning_rate",
    "warmup_steps",
    "optimizer",
    "validation_minutes",
    "new_names",
    "new_tags",
    "seed",
)
MAX_COMPARED: Final = 8
#: In the folder of an evaluation: the posts that were uploaded for it, under the ending of their file.
UPLOADED: Final = "posts"


class BaseError(Exception):
    """A sentence for the administrator; `code` for programs."""

    code = "base_error"


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a training lasts, by one of the two: minutes of training, or megabytes read."""

    minutes: float | None = None
    megabytes: float | None = None

    def as_dict(self) -> dict[str, float]:
        return {name: amount for name in ("minutes", "megabytes") if (amount := getattr(self, name)) is not None}


def may_see(user: Any) -> bool:
    return bool(user.is_active and user.is_staff and user.has_perm("models_app.view_trainedmodel"))


def may_add(user: Any) -> bool:
    """Whether the person may upload, train and measure versions."""
    return bool(may_see(user) and user.has_perm("models_app.add_trainedmodel"))


def may_choose(user: Any) -> bool:
    """Whether the person may say which version is the base model."""
    return bool(may_see(user) and user.has_perm("models_app.change_trainedmodel"))


def versions() -> QuerySet[TrainedModel]:
    """The base model first, then those that nobody owns, the newest first, each with how many `bots` came from it."""
    rows = TrainedModel.objects.filter(Q(owner=None) | Q(is_base=True))
    return (
        rows.annotate(bots=Count("children")).select_related("owner", "job__owner").order_by("-is_base", "-created_at")
    )


def version(model_id: uuid.UUID) -> TrainedModel:
    return versions().get(pk=model_id)


def promote(model: TrainedModel, *, by: User) -> None:
    """New bots start from `model` from now on. BaseError where its files are not what was registered."""
    _make_base(model, BaseChange.How.PROMOTED, by)


def one_before() -> TrainedModel | None:
    """The model that was the base before the one that is now; retired ones and those that are gone are passed over."""
    change = BaseChange.objects.filter(model__is_base=False, model__retired_at=None).select_related("model").first()
    return change.model if change else None


def roll_back(*, by: User) -> TrainedModel:
    """The one before is the base model again; rolled back twice, it is as it was."""
    before = one_before()
    if before is None:
        raise BaseError(
            "There is no other base model to go back to: none was before this one, or it is retired or gone."
        )
    _make_base(before, BaseChange.How.ROLLED_BACK, by)
    return before


def _make_base(model: TrainedModel, how: BaseChange.How, by: User) -> None:
    if model.is_base:
        raise BaseError(f"{model} is the base model already.")
    if trouble := integrity.trouble_of(model):
        raise BaseError(f"{model} cannot be the base model: {trouble.what}. What helps: {trouble.advice}.")
    registry.make_base(model, how=how, by=by)


def upload(archive: IO[bytes], *, name: str) -> TrainedModel:
    """The model in the zip is a version of the base model; nobody starts from it before it is promoted.

    BadArchive says what is wrong with the zip, of which nothing is kept then.
    """
    place = Path(site.CHECKPOINTS_DIR) / registry.VERSIONS_DIRECTORY
    place.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".upload.new-", dir=place))
    try:
        sha256 = base_archive.unpack(archive, staged)
        known = TrainedModel.objects.filter(sha256=sha256, owner=None).first()
        if known is not None:
            raise base_archive.BadArchive(f"These weights are here already, as {known.name}.")
        return registry.add_version(staged, name=_named(name), origin=TrainedModel.Origin.UPLOADED)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _named(wanted: str) -> str:
    """Return `wanted`, or the next that is free. BaseError for one that reads as the name of a person's bot."""
    if "/" in wanted:
        raise BaseError(
            "The name of a base model has no slash, since owner/name is how a person’s bot is called: choose another."
        )
    return registry.free_version_name(on_one_line(wanted)[:72] or "base")


def post_files() -> list[str]:
    """The files of posts on the server, by their paths under TRAINING_DIR."""
    root = Path(site.TRAINING_DIR)
    found = (path for path in root.rglob("*") if path.name.endswith(POST_FILES) and path.is_file())
    return sorted(path.relative_to(root).as_posix() for path in found)[:MAX_FILES]


def file_named(name: str) -> Path:
    """The file of posts of that name; BaseError for any other."""
    if name not in post_files():
        raise BaseError(f"There is no file {name} in {site.TRAINING_DIR}.")
    return Path(site.TRAINING_DIR) / name


def corpora_of(user: User) -> QuerySet[Corpus]:
    """What the person may train the base model on: their own, since what it has read is everybody's then."""
    return Corpus.objects.filter(owner=user, state=Corpus.State.READY)


def recipe(network: NetworkConfig, budget: Budget, values: Mapping[str, Any], *, continued: bool) -> PretrainConfig:
    """How a training learns: the recipe of its kind of network, but for what `values` say. BaseError."""
    usual: dict[str, Any] = dict(RECIPES.get(network.kind, {}))
    if continued:
        usual["learning_rate"] = CONTINUED_RATE
    if budget.minutes is not None:
        # Twenty points make a curve.
        pause = max(0.1, min(PretrainConfig().validation_minutes, budget.minutes / 20))
        usual |= {"validation_minutes": pause, "save_minutes": pause}
    unknown = sorted(set(values) - set(SETTINGS))
    if unknown:
        raise BaseError(f"{unknown[0]} cannot be set; these can: {', '.join(SETTINGS)}.")
    try:
        return PretrainConfig.from_dict(usual | dict(values))
    except ValueError as error:
        raise BaseError(str(error)) from error


def train(
    *,
    by: User,
    name: str,
    budget: Budget,
    files: Sequence[str] = (),
    validation: str = "",
    corpus: Corpus | None = None,
    start: TrainedModel | None = None,
    network: str = "glr",
    values: Mapping[str, Any] | None = None,
) -> Job:
    """A training is queued that makes a version of the base model, from `start` or from nothing.

    It reads `files` and is measured on the file `validation`, or it reads nine tenths of `corpus` and is measured on
    the rest. BaseError.
    """
    if not may_add(by):
        raise BaseError("Only an administrator may train base models.")
    if bool(files) == (corpus is not None):
        raise BaseError("Choose what to learn from: files of the server, or one of your corpora.")
    if corpus is not None:
        # Its posts are read when the training starts, which waits if they are being cleaned then.
        corpora.require_enough(corpus)
    else:
        if not validation:
            raise BaseError("Choose a file to measure on.")
        for file in [*files, validation]:
            file_named(file)
        if validation in files:
            raise BaseError(f"{validation} is learned from, so nothing can be measured on it: choose another file.")
    given = [amount for amount in (budget.minutes, budget.megabytes) if amount is not None]
    if len(given) != 1 or not 0 < given[0] < math.inf:
        raise BaseError("Say how long to train, in minutes or in megabytes: one of them, and more than 0.")
    longest = site.JOB_TIME_LIMIT_MINUTES * TRAINING_SHARE
    if budget.minutes is not None and budget.minutes > longest:
        raise BaseError(
            f"At most {counted(int(longest), 'minute')} can be trained (JOB_TIME_LIMIT_MINUTES): choose fewer."
        )
    if network not in NETWORKS:
        raise BaseError(f"There is no network {network}; there are: {', '.join(NETWORKS)}.")
    shape = NetworkConfig.from_dict(start.network) if start else NETWORKS[network]
    chosen = recipe(shape, budget, values or {}, continued=start is not None)
    name = _named(name)
    return jobs.submit(
        owner=by,
        kind=TRAIN_BASE,
        title=f"Train the base model {name}",
        arguments={
            "name": name,
            "files": list(files),
            "validation": validation,
            "corpus": str(corpus.pk) if corpus else "",
            "corpus_name": corpus.name if corpus else "",
            "start": str(start.pk) if start else "",
            "start_name": start.full_name if start else "",
            "network": shape.as_dict(),
            "budget": budget.as_dict(),
            "chosen": chosen.as_dict(),
        },
    )


def evaluate(
    *, by: User, models: Sequence[TrainedModel], file: str = "", uploaded: IO[bytes] | None = None, file_name: str = ""
) -> Job:
    """A job is queued that measures each of the models on the same posts: a file of the server, or an uploaded one."""
    if not may_add(by):
        raise BaseError("Only an administrator may evaluate base models.")
    if not 1 <= len(models) <= MAX_COMPARED:
        raise BaseError(f"Choose 1 to {MAX_COMPARED} models.")
    if bool(file) == (uploaded is not None):
        raise BaseError("Choose the posts to measure on: a file of the server, or one that you upload.")
    if file:
        file_named(file)
    elif not file_name.endswith(POST_FILES):
        raise BaseError(f"The file {file_name} is not one of posts, a post a line: {', '.join(POST_FILES)}.")
    shown = file or Path(file_name).name[:200]
    # Among the uploads, where one that is left behind is swept.
    staged = Path(site.UPLOADS_DIR) / str(uuid.uuid4())
    try:
        if uploaded is not None:
            # Before the transaction: SQLite has one writer, and a file may be large.
            staged.mkdir(parents=True)
            ending = next(ending for ending in reversed(POST_FILES) if file_name.endswith(ending))
            with (staged / f"{UPLOADED}{ending}").open("wb") as kept:
                shutil.copyfileobj(uploaded, kept)
        with transaction.atomic():
            job = jobs.submit(
                owner=by,
                kind=EVALUATE_BASES,
                title=f"Evaluate {len(models)} base model{'s' * (len(models) != 1)} on {shown}",
                arguments={
                    "models": [str(model.pk) for model in models],
                    "names": [model.full_name for model in models],
                    "file": file,
                    "shown": shown,
                },
            )
            if uploaded is not None:
                # Before the commit, after which a worker may take it.
                folder = work_dir(job)
                folder.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return job


def trainings() -> QuerySet[Job]:
    return Job.objects.filter(kind=TRAIN_BASE).select_related("owner")


def evaluations() -> QuerySet[Job]:
    return Job.objects.filter(kind=EVALUATE_BASES).select_related("owner")
