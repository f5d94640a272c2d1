"""A model's files: put together in a staging folder, then moved into place in the transaction of their row."""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet

from botfactory.jobs.errors import LostClaim
from botfactory.jobs.models import Job
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import CheckpointError, mark
from models_app.ml.networks.registry import Network, config_of

#: The loss history beside the weights, if they were trained here.
LOSSES = "training.csv"
#: The copy guard's fingerprints of the learned posts, beside the weights.
FINGERPRINTS = "posts.fingerprints"
#: The posts in the context of an instant bot, as a list of strings. Never part of a download.
CONTEXT = "context.json"
#: What may be beside weights and settings, and moves with a bot to another Bot Factory.
COMPANIONS = (checkpoint.TOKENIZER, checkpoint.PHRASES, FINGERPRINTS, CONTEXT)

#: Opens the transaction in which a job writes (JobHandle.fenced).
Fence = Callable[[], AbstractContextManager[None]]

logger = logging.getLogger(__name__)


def path_of(model: TrainedModel) -> Path:
    """Return the folder of the model's files."""
    return Path(settings.CHECKPOINTS_DIR) / model.directory


def network_of(model: TrainedModel) -> Network:
    """Return the configuration of the model's network, whose vocabulary is loaded then. Raises CheckpointError."""
    network = config_of(model.network)
    checkpoint.read_vocabulary(path_of(model), network)
    return network


def know_vocabularies() -> None:
    """Load the vocabulary of each model of tokens here, for who gets another model of the same tokens."""
    known: set[str] = set()
    models = TrainedModel.objects.filter(tier=Tier.QUICK, network__vocabulary__startswith="bpe-")
    for model in models.only("network", "directory").order_by("pk").iterator():
        if model.network["vocabulary"] not in known:
            with suppress(CheckpointError):  # then another model may have it
                network_of(model)
                known.add(model.network["vocabulary"])


def stored_bytes(path: Path) -> int:
    """Return the total size of a model's files in bytes."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def save_context(path: Path, posts: Sequence[str]) -> None:
    """Write the posts of an instant bot's context to its folder."""
    checkpoint.write_durably(path / CONTEXT, json.dumps(list(posts), ensure_ascii=False).encode())


def context_of(path: Path) -> list[str]:
    """Return the posts of the context of the model in this folder; none unless it's an instant bot.

    Raises CheckpointError for a damaged file.
    """
    try:
        return [str(post) for post in json.loads((path / CONTEXT).read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            mark("%(file)s can’t be read. Restore the model from a backup."), file=path / CONTEXT
        ) from error


@contextmanager
def staging(path: Path, job: Job | None) -> Iterator[Path]:
    """Make an empty folder beside `path` for the block, and delete what is left of it afterwards.

    No other process, and no other attempt of the job, writes there. What a killed attempt leaves behind is deleted by
    the next one (`in_place`), or found by the doctor.
    """
    name = f".{path.name}.attempt-{job.attempt}" if job else f".{path.name}.new-{uuid.uuid4().hex}"
    folder = path.with_name(name)
    # Only this account can open them: a bot's files can contain posts that it learned.
    for each in (*reversed(path.parents), folder):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def left_by(job: Job) -> list[Path]:
    """Return the folders in which killed attempts of the job were putting its model together (JobKind.left_by)."""
    return attempts_at([uuid.uuid5(job.pk, "model")], f"users/{job.owner_id}", "bases")


def attempts_at(numbers: Iterable[uuid.UUID], *places: str) -> list[Path]:
    """Return the folders in which killed attempts were putting these models together, in these places."""
    root = Path(settings.CHECKPOINTS_DIR)
    patterns = [f"{place}/.{number}.attempt-*" for number in numbers for place in places]
    return [folder for pattern in patterns for folder in root.glob(pattern)]


def copy(source: Path, staged: Path) -> Checkpoint:
    """Copy the checkpoint in `source` to `staged`; return it, verified. Raises CheckpointError."""
    try:
        optional = (LOSSES, checkpoint.TOKENIZER, FINGERPRINTS)
        for name in (checkpoint.WEIGHTS, checkpoint.CONFIG, *optional):
            if name not in optional or (source / name).exists():
                checkpoint.write_durably(staged / name, (source / name).read_bytes())
    except OSError as error:
        raise CheckpointError(
            mark("%(source)s can’t be copied to %(target)s: %(reason)s."),
            source=source,
            target=staged.parent,
            reason=error,
        ) from error
    return checkpoint.load(staged)


def restore(source: Path, target: Path) -> None:
    """Copy the checkpoint in `source` to `target` atomically, unless `target` exists. Raises CheckpointError."""
    with staging(target, None) as staged:
        copy(source, staged)
        try:
            staged.rename(target)
        except OSError as error:
            # Another process may have been faster.
            if not target.exists():
                raise CheckpointError(
                    mark("%(source)s can’t be copied to %(target)s: %(reason)s."),
                    source=source,
                    target=target,
                    reason=error,
                ) from error


@contextmanager
def in_place(staged: Path, path: Path, sha256: str, fenced: Fence, job: Job | None) -> Iterator[None]:
    """Run the block that creates the row of the model at `path` in a transaction of `fenced`, with its files in place.

    Moves the files from `staged`, with this sha256, unless the row exists already. Removes them again if the row isn't
    committed.
    """
    rows = TrainedModel.objects.filter(directory=str(path.relative_to(settings.CHECKPOINTS_DIR)))
    moved = False
    try:
        with fenced():
            if not rows.exists() and _sha256_in(path) != sha256:
                # Leftovers of an attempt that was killed before its commit.
                shutil.rmtree(path, ignore_errors=True)
                staged.rename(path)
                moved = True
            for left in path.parent.glob(f".{path.name}.attempt-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except BaseException:
        if moved:
            _take_back(path, rows, fenced, job)
        raise


def _sha256_in(path: Path) -> str:
    """Return the sha256 of the weights in the folder, or "" unless they're complete."""
    try:
        return checkpoint.load(path).sha256 if path.is_dir() else ""
    except CheckpointError:
        return ""


def _take_back(path: Path, rows: QuerySet[TrainedModel], fenced: Fence, job: Job | None) -> None:
    """Delete files whose row wasn't committed, unless another attempt may already be writing its own."""
    try:
        with fenced():
            if not rows.exists():
                shutil.rmtree(path, ignore_errors=True)
    except LostClaim:
        if job is None or not Job.objects.filter(pk=job.pk).exists():
            shutil.rmtree(path, ignore_errors=True)
    except (DatabaseError, InterfaceError):
        logger.warning("%s: can't tell whether the model was registered; the next attempt replaces its files", path)
