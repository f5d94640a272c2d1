"""The versions of the base model: promoting, rolling back, uploading, training and comparing them."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings as site
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.words.plurals import on_one_line
from botfactory.words.translatable import Sentence, counted_sentence, mark
from botfactory.words.translation import grouped, translated
from models_app.bases.staging import staged
from models_app.bots import base_files as base_archive
from models_app.bots import integrity, naming, pretrained, versions
from models_app.bots.rows import BaseChange, Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.config import NETWORKS, NetworkConfig, PretrainConfig, traits_of, vocabulary_to_learn
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.registry import Network, config_of, small_network
from models_app.training import step_memory
from tweets.corpora import learning
from tweets.models import Corpus

TRAIN_BASE: Final = "train_base"
EVALUATE_BASES: Final = "evaluate_bases"
#: The suffixes of files with one post per line (ml/training/dataset.py).
POST_FILES: Final = (".txt", ".txt.xz", ".txt.gz")
#: The fraction of a job's time limit for pure training; start-up and validations come on top.
TRAINING_SHARE: Final = 0.8
#: The minutes of a training that adapts a pretrained model to posts, unless somebody chooses others.
ADAPTING_MINUTES: Final = 90
#: The settings of a training that can be changed, besides its length.
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
#: Those that the form leaves out, but a search can vary (models_app/search).
FINER_SETTINGS: Final = ("dropout", "clip_norm", "beta_2")
MAX_COMPARED: Final = 8
#: The name, without suffix, of the uploaded posts in an evaluation's folder.
UPLOADED: Final = "posts"


class BaseError(Exception):
    """The request can't be met; the message tells the administrator why."""

    code = "base_error"


@dataclass(frozen=True, slots=True)
class Budget:
    """The length of a training: either minutes of training or megabytes read."""

    minutes: float | None = None
    megabytes: float | None = None

    def as_dict(self) -> dict[str, float]:
        return {name: amount for name in ("minutes", "megabytes") if (amount := getattr(self, name)) is not None}


def may_see(user: Any) -> bool:
    return bool(user.is_active and user.is_staff and user.has_perm("models_app.view_trainedmodel"))


def may_add(user: Any) -> bool:
    """Return whether the person may upload, train and evaluate versions."""
    return bool(may_see(user) and user.has_perm("models_app.add_trainedmodel"))


def may_choose(user: Any) -> bool:
    """Return whether the person may choose the base model."""
    return bool(may_see(user) and user.has_perm("models_app.change_trainedmodel"))


def all_versions() -> QuerySet[TrainedModel]:
    """Return each tier's base model and then its other versions, newest first, each with its number of `bots`."""
    rows = TrainedModel.objects.filter(Q(owner=None) | Q(is_base=True))
    return (
        rows.annotate(bots=Count("children"))
        .select_related("owner", "job__owner")
        .order_by("tier", "-is_base", "-created_at")
    )


def version(model_id: uuid.UUID) -> TrainedModel:
    return all_versions().get(pk=model_id)


def promote(model: TrainedModel, *, by: User | None) -> None:
    """Make `model` the base model for new bots. Raises BaseError if its files differ from the registered ones."""
    _make_base(model, BaseChange.How.PROMOTED, by)


def ones_before() -> dict[Tier, TrainedModel]:
    """Return the previous base model of each tier that has one, skipping retired and deleted ones, by one query."""
    changes = BaseChange.objects.filter(model__is_base=False, model__retired_at=None)
    newest = reduce(or_, (Q(pk__in=changes.filter(tier=tier).values("pk")[:1]) for tier in Tier))
    return {
        Tier(change.tier): change.model for change in changes.filter(newest).select_related("model") if change.model
    }


def one_before(tier: Tier = Tier.QUICK) -> TrainedModel | None:
    """Return the tier's previous base model, skipping retired and deleted ones."""
    return ones_before().get(tier)


def roll_back(*, by: User, tier: Tier = Tier.QUICK) -> TrainedModel:
    """Make the tier's previous base model the base again; a second roll-back undoes the first."""
    before = one_before(tier)
    if before is None:
        raise BaseError(_("You can’t roll back: there was no base model before this one, or it is retired or deleted."))
    _make_base(before, BaseChange.How.ROLLED_BACK, by)
    return before


def _make_base(model: TrainedModel, how: BaseChange.How, by: User | None) -> None:
    if model.is_base:
        raise BaseError(_("%(name)s is already the base model.") % {"name": model})
    if trouble := integrity.trouble_of(model):
        message = _("%(name)s can’t be the base model: %(problem)s. To fix it, %(advice)s.")
        raise BaseError(message % {"name": model, "problem": trouble.what, "advice": trouble.advice})
    versions.make_base(model, how=how, by=by)


def upload(archive: IO[bytes], *, name: str) -> TrainedModel:
    """Add the model in the zip as a version of the base model. Nobody starts from it until it's promoted.

    Raises BadArchive for an invalid zip and keeps nothing of it.
    """
    place = Path(site.CHECKPOINTS_DIR) / versions.VERSIONS_DIRECTORY
    place.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".upload.new-", dir=place))
    try:
        sha256 = base_archive.unpack(archive, staged, brings_vocabulary=True)
        network = checkpoint.describe(staged)["network"]
        number = network.get("pretrained", "")
        if number and not pretrained.can_be_had(number):
            message = mark(
                "It belongs to the pretrained model %(number)s, which isn’t on this server. Add that first, with "
                "`manage.py add_base`."
            )
            raise base_archive.BadArchive(message, number=number[:12])
        if number and not _is_of(pretrained.own_network(number), network):
            raise base_archive.BadArchive(
                mark("Its %(file)s describes a different network from that of the pretrained model that it names."),
                file=checkpoint.CONFIG,
            )
        same = TrainedModel.objects.filter(sha256=sha256, owner=None)
        # The first adapters of all pretrained models of a shape are the same.
        known = next((model for model in same if model.network.get("pretrained", "") == number), None)
        if known is not None:
            raise base_archive.BadArchive(mark("This model was already uploaded as %(name)s."), name=known.name)
        return versions.add_version(staged, name=free_name(name), origin=TrainedModel.Origin.UPLOADED)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _is_of(pretrained_network: LlamaConfig, network: dict[str, Any]) -> bool:
    """Return whether this network is the pretrained one, whatever the rank and scale of its adapter."""
    found = LlamaConfig.from_dict(network)
    return found == replace(pretrained_network, rank=found.rank, scale=found.scale)


def free_name(wanted: str) -> str:
    """Return `wanted`, or the next free name. Raises BaseError for a name that looks like a person's bot."""
    if "/" in wanted:
        raise BaseError(_("The name of a base model can’t contain a slash. Choose another."))
    return naming.free_version_name(on_one_line(wanted)[:72] or "base")


def post_files() -> list[str]:
    """Return the files of posts on the server, as paths relative to TRAINING_DIR."""
    root = Path(site.TRAINING_DIR)
    found = (path for path in root.rglob("*") if path.name.endswith(POST_FILES) and path.is_file())
    names = (path.relative_to(root) for path in found)
    # A preparation that hasn't ended works in a hidden folder.
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def prepared_corpus() -> tuple[str, str]:
    """Return the training and validation file of the newest corpus of `prepare_corpus`; "" without one."""
    root, names = Path(site.TRAINING_DIR), post_files()
    found = [
        (train, validation)
        for train in names
        if Path(train).name.startswith("train.")
        and (validation := str(Path(train).with_name(Path(train).name.replace("train", "validation", 1)))) in names
    ]
    return max(found, key=lambda pair: (root / pair[0]).stat().st_mtime, default=("", ""))


def adapting(model: TrainedModel) -> dict[str, Any]:
    """Return what the form of a training begins with that adapts a base model to posts."""
    train, validation = prepared_corpus()
    longest = site.JOB_TIME_LIMIT_MINUTES * TRAINING_SHARE
    return {
        "name": f"{model.name[:60]} adapted",
        "start": str(model.pk),
        "learn_from": [train] if train else [],
        "validation": validation,
        "minutes": min(ADAPTING_MINUTES, int(longest)),
    }


def file_named(name: str) -> Path:
    """Return the path of a file of posts. Raises BaseError if there's no such file."""
    path = Path(site.TRAINING_DIR, name)
    # No part is hidden or empty, so the path stays in the folder and each file has one name.
    is_listed = name.endswith(POST_FILES) and all(part and part[0] != "." for part in name.split("/"))
    # Path.is_file raises OSError for a name that is too long.
    if not (is_listed and os.path.isfile(path)):  # noqa: PTH113
        message = _("There is no file %(name)s in %(directory)s.")
        raise BaseError(message % {"name": name, "directory": site.TRAINING_DIR})
    return path


def corpora_of(user: User) -> QuerySet[Corpus]:
    """Return the person's own corpora: everybody can use the base model, so they may train it only on these."""
    return Corpus.objects.filter(owner=user, state=Corpus.State.READY)


def recipe(network: Network, budget: Budget, values: Mapping[str, Any], *, continued: bool) -> PretrainConfig:
    """Return the default settings for this kind of network, overridden by `values`. Raises BaseError."""
    pauses: dict[str, Any] = {}
    if budget.minutes is not None:
        # Twenty points are enough for a curve.
        usual = PretrainConfig.auto(network.kind)
        pause = max(0.1, min(usual.validation_minutes, budget.minutes / 20))
        pauses = {"validation_minutes": pause, "save_minutes": min(usual.save_minutes, pause)}
    settings = (*SETTINGS, *FINER_SETTINGS)
    unknown = sorted(set(values) - set(settings))
    if unknown:
        message = _("There is no setting %(name)s. You can set: %(names)s.")
        raise BaseError(message % {"name": unknown[0], "names": ", ".join(settings)})
    try:
        return PretrainConfig.auto(**traits_of(network.as_dict()), continued=continued, **pauses | dict(values))
    except ValueError as error:
        raise BaseError(translated(error)) from error


def train(
    *,
    by: User,
    name: str,
    budget: Budget,
    files: Sequence[str] = (),
    validation: str = "",
    corpus: Corpus | None = None,
    start: TrainedModel | None = None,
    network: str | NetworkConfig = "glr",
    vocabulary: int = 0,
    values: Mapping[str, Any] | None = None,
) -> Job:
    """Queue a training of a new version of the base model, from `start` or from initial weights of `network`.

    With `vocabulary`, the network learns so many tokens from the posts and reads these instead of bytes. Trains on
    `files` and validates on the file `validation`, or trains on nine tenths of `corpus` and validates on the rest.
    Raises BaseError for invalid arguments.
    """
    require_possible(by=by, budget=budget, files=files, validation=validation, corpus=corpus)
    shape = config_of(start.network) if start else network_named(network)
    if vocabulary:
        if start is not None:
            raise BaseError(_("A model keeps its vocabulary. Leave “Vocabulary” blank, or start from scratch."))
        shape = _of_tokens(small_network(shape), vocabulary)
    chosen = recipe(shape, budget, values or {}, continued=start is not None)
    require_memory(shape, chosen)
    name = free_name(name)
    return jobs.submit(
        owner=by,
        kind=TRAIN_BASE,
        title=Sentence(mark("Train the base model %(name)s"), name=name),
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


def require_memory(network: Network, chosen: PretrainConfig) -> None:
    """Raise BaseError if a step of the network's training would read too many symbols."""
    is_adapter = not isinstance(network, NetworkConfig)
    size = {"batch_size": chosen.batch_size, "sequence_length": chosen.sequence_length}
    if trouble := step_memory.trouble(is_adapter=is_adapter, **size):
        raise BaseError(trouble)


def require_possible(*, by: User, budget: Budget, files: Sequence[str], validation: str, corpus: Corpus | None) -> None:
    """Raise BaseError or CorpusError unless this person may train base models on these posts for so long."""
    if not may_add(by):
        raise BaseError(_("Only an administrator can train base models."))
    if bool(files) == (corpus is not None):
        raise BaseError(_("Choose what to learn from: either files on the server or one of your collections."))
    if corpus is not None:
        # The job reads the posts when it starts, and waits if they're being cleaned.
        learning.require_enough(corpus)
    else:
        if not validation:
            raise BaseError(_("Choose a validation file."))
        for file in [*files, validation]:
            file_named(file)
        if validation in files:
            message = _("%(name)s is among the training files. Choose another validation file.")
            raise BaseError(message % {"name": validation})
    given = [amount for amount in (budget.minutes, budget.megabytes) if amount is not None]
    if len(given) != 1 or not 0 < given[0] < math.inf:
        raise BaseError(_("Set how long to train: either minutes or megabytes, more than 0."))
    longest = site.JOB_TIME_LIMIT_MINUTES * TRAINING_SHARE
    if budget.minutes is not None and budget.minutes > longest:
        message = ngettext(
            "A training can take at most %(count)s minute (JOB_TIME_LIMIT_MINUTES). Choose less.",
            "A training can take at most %(count)s minutes (JOB_TIME_LIMIT_MINUTES). Choose less.",
            int(longest),
        )
        raise BaseError(message % {"count": grouped(int(longest))})


def network_named(network: str | NetworkConfig) -> NetworkConfig:
    """Return the network of this name, or the one that is given. Raises BaseError."""
    if isinstance(network, NetworkConfig):
        return network
    if network not in NETWORKS:
        message = _("There is no network %(name)s. Choose one of: %(names)s.")
        raise BaseError(message % {"name": network, "names": ", ".join(NETWORKS)})
    return NETWORKS[network]


def _of_tokens(network: NetworkConfig, size: int) -> NetworkConfig:
    try:
        return network.of_tokens(vocabulary_to_learn(size))
    except ValueError as error:
        raise BaseError(translated(error)) from error


def evaluate(
    *, by: User, models: Sequence[TrainedModel], file: str = "", uploaded: IO[bytes] | None = None, file_name: str = ""
) -> Job:
    """Queue a job that evaluates the models on the same posts: a file on the server or an uploaded one."""
    if not may_add(by):
        raise BaseError(_("Only an administrator can compare base models."))
    if not 1 <= len(models) <= MAX_COMPARED:
        raise BaseError(_("Choose 1 to %(most)s models.") % {"most": MAX_COMPARED})
    if bool(file) == (uploaded is not None):
        raise BaseError(_("Choose the posts to compare on: either a file on the server or one that you upload."))
    if file:
        file_named(file)
    elif not file_name.endswith(POST_FILES):
        message = _("%(name)s isn’t a file of posts. Upload one of these, with one post per line: %(endings)s.")
        raise BaseError(message % {"name": file_name, "endings": ", ".join(POST_FILES)})
    shown = file or Path(file_name).name[:200]
    ending = next((ending for ending in reversed(POST_FILES) if file_name.endswith(ending)), "")
    with staged(uploaded, f"{UPLOADED}{ending}") as hand_over, transaction.atomic():
        job = jobs.submit(
            owner=by,
            kind=EVALUATE_BASES,
            title=counted_sentence(
                "Compare %(count)s base model on %(file)s",
                "Compare %(count)s base models on %(file)s",
                len(models),
                file=shown,
            ),
            arguments={
                "models": [str(model.pk) for model in models],
                "names": [model.full_name for model in models],
                "file": file,
                "shown": shown,
            },
        )
        hand_over(job)
    return job


def trainings() -> QuerySet[Job]:
    return Job.objects.filter(kind=TRAIN_BASE).select_related("owner")


def evaluations() -> QuerySet[Job]:
    return Job.objects.filter(kind=EVALUATE_BASES).select_related("owner")
