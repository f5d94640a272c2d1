"""The jobs on base models: training one, and evaluating several on the same posts."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.errors import ComeBackLater, JobCancelled, JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind, KeepsTheBest
from models_app.bases import services as bases
from models_app.bots import ancestry, epochs, guards, loading, naming, registry, versions
from models_app.bots import files as model_files
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import TrainedModel
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import PretrainConfig
from models_app.ml.errors import Cancelled, LearningError, mark
from models_app.ml.evaluation import evaluation
from models_app.ml.networks.registry import config_of
from models_app.ml.training import dataset
from models_app.ml.training.events import Answer
from tweets.corpora import idle, learning
from tweets.corpora.errors import OptedOut
from tweets.models import Corpus

if TYPE_CHECKING:
    from models_app.ml.training.pretrain import PretrainMeasuring, PretrainProgress, PretrainValidation

#: The fraction of a corpus to validate on.
VALIDATION_SHARE: Final = 0.1
#: In the job's folder: the model in training with its state, and the posts of a corpus as files.
MODEL: Final = "model"
LEARNED, HELD_OUT = "learned.txt", "held-out.txt"
#: The reason shown when a job on base models goes back to waiting.
AWAITED: Final = mark("Paused while people’s bots are trained.")
#: Seconds between progress reports of an evaluation.
PAUSE: Final = 0.5


def run_train_base(handle: JobHandle) -> dict[str, Any]:
    """Train and register a version of the base model; return its id and name."""
    arguments = handle.job.arguments
    number = uuid.uuid5(handle.job.pk, "model")
    done = TrainedModel.objects.filter(pk=number).first()
    if done is not None:
        # An earlier attempt registered it already.
        return {"model": str(done.pk), "name": done.name}
    require_administrator(handle)
    handle.progress({"phase": "starting", "fraction": handle.job.progress.get("fraction", 0.0)})
    corpus = _corpus(arguments)
    try:
        files, validation = read_posts(
            handle, corpus, arguments["files"], arguments["validation"], seed=arguments["chosen"]["seed"]
        )
        start = _start(arguments)
        # Made now, since the posts may be gone hours later.
        guard = guards.guard_of_version(corpus, start)
        trained = _train(handle, files, validation, None if start is None else loading.load(start))
        if guard is not None:
            guard.save(handle.work_dir / MODEL / FINGERPRINTS)
        handle.progress({**handle.job.progress, "phase": "saving", "fraction": 1.0, "seconds_left": 0})
        version = versions.add_version(
            handle.work_dir / MODEL,
            name=naming.free_version_name(arguments["name"]),
            origin=TrainedModel.Origin.TRAINED,
            number=number,
            fenced=handle.fenced,
            origins=lambda: _origins(corpus, start),
            job=handle.job,
            corpus_name=corpus.name if corpus else "",
            parent_name=arguments["start_name"],
            seconds=60 * float(trained.meta["minutes"]),
        )
    except Cancelled as cancelled:
        if handle.control() == "cancel":
            raise JobCancelled from cancelled
        # The training has saved its state.
        why = AWAITED if handle.should_yield() else mark("The worker stopped.")
        raise ComeBackLater(timezone.now(), why) from cancelled
    except (LearningError, bases.BaseError, OptedOut) as error:
        raise JobFailed(error.code, error) from error
    return {"model": str(version.pk), "name": version.name}


def require_administrator(handle: JobHandle) -> None:
    """Raise JobFailed unless the owner of the job may still add base models."""
    if not bases.may_add(handle.job.owner):
        raise JobFailed("not_allowed", mark("Only administrators can do this, and you’re no longer one."))


def _corpus(arguments: dict[str, Any]) -> Corpus | None:
    if not arguments["corpus"]:
        return None
    corpus = Corpus.objects.filter(pk=arguments["corpus"]).first()
    if corpus is None:
        raise JobFailed("corpus_deleted", mark("The posts to learn from were deleted."))
    return corpus


def _start(arguments: dict[str, Any]) -> TrainedModel | None:
    if not arguments["start"]:
        return None
    model = TrainedModel.objects.filter(pk=arguments["start"]).first()
    if model is None:
        raise JobFailed("model_deleted", mark("The model to start from was deleted."))
    return model


def _origins(corpus: Corpus | None, start: TrainedModel | None) -> dict[str, Any]:
    """Return what a version learned from and whose posts these are. Raises OptedOut."""
    return {
        "corpus": Corpus.objects.filter(pk=corpus.pk).first() if corpus else None,
        "parent": registry.if_there(start),
        "learned_accounts": ancestry.accounts_to_learn(corpus, start),
    }


def read_posts(
    handle: JobHandle, corpus: Corpus | None, files: Sequence[str], validation: str, *, seed: int
) -> tuple[list[Path], Path]:
    """Return the training files and the validation file. Files of a corpus are written once for all attempts."""
    if corpus is None:
        return [bases.file_named(name) for name in files], bases.file_named(validation)
    learned, held_out = handle.work_dir / LEARNED, handle.work_dir / HELD_OUT
    if not (learned.exists() and held_out.exists()):
        with transaction.atomic():
            # Copied to files, so the corpus isn't locked while this job waits and trains for days.
            posts = learning.training_posts(idle.lock_when_ready(corpus))
        parts = dataset.split(posts, validation_share=VALIDATION_SHARE, seed=seed)
        for path, part in zip((learned, held_out), parts, strict=True):
            staged = path.with_suffix(".new")
            # One post per line.
            staged.write_text("".join(" ".join(post.split("\n")) + "\n" for post in part), encoding="utf-8")
            os.replace(staged, path)  # noqa: PTH105
    return [learned], held_out


def _train(handle: JobHandle, files: list[Path], validation: Path, start: Checkpoint | None) -> Checkpoint:
    # Imported late: only the training process may load TensorFlow.
    from models_app.ml.training.pretrain import Budget, pretrain
    from models_app.ml.training.tokens import with_vocabulary

    arguments = handle.job.arguments

    def on_progress(progress: PretrainProgress) -> None:
        handle.progress(
            {
                "phase": "training",
                "minutes": round(progress.minutes, 3),
                "megabytes": round(progress.bytes_seen / 1e6, 3),
                "loss": round(progress.loss, 4),
                "fraction": round(min(1.0, progress.fraction), 4),
                "bytes_per_second": round(progress.bytes_per_second),
                "seconds_left": round(progress.seconds_left, 1),
            }
        )

    def on_validation(result: PretrainValidation) -> None:
        handle.record(
            "validation",
            {
                "minutes": round(result.minutes, 3),
                "megabytes": round(result.bytes_seen / 1e6, 3),
                "train_loss": round(result.train_loss, 5),
                "validation_loss": round(result.validation_loss, 5),
                "bits_per_character": round(result.bits_per_character, 5),
                "learning_rate": result.learning_rate,
                "best": result.best,
            },
        )

    def on_measuring(progress: PretrainMeasuring) -> None:
        shown = {"phase": "validating", "fraction": round(progress.fraction, 4)}
        if progress.seconds_left is not None:
            shown["seconds_left"] = round(progress.seconds_left, 1)
        handle.progress(shown)

    def control() -> Answer:
        asked = handle.control()
        return "pause" if asked == "go" and handle.should_yield() else asked

    return pretrain(
        corpus=files,
        validation=validation,
        directory=handle.work_dir / MODEL,
        budget=Budget(**arguments["budget"]),
        # Continue from the state that an earlier attempt has saved.
        resume=True,
        network=with_vocabulary(config_of(arguments["network"]), files, handle.work_dir, resume=True),
        config=PretrainConfig.from_dict(arguments["chosen"]),
        start=start,
        on_progress=on_progress,
        on_validation=on_validation,
        on_measuring=on_measuring,
        control=control,
    )


def run_evaluate_bases(handle: JobHandle) -> dict[str, Any]:
    """Evaluate each model on the same posts; return the table, best first."""
    require_administrator(handle)
    arguments = handle.job.arguments
    try:
        path = bases.file_named(arguments["file"]) if arguments["file"] else _uploaded(handle)
        handle.progress({"phase": "reading", "fraction": 0.0, "total": 0})
        posts = sum(1 for _ in dataset.stream_posts([path]))
        rows = {event.payload["model"]: event.payload for event in handle.job.events.filter(kind="measured")}
        before = len(rows)
        for place, (number, name) in enumerate(zip(arguments["models"], arguments["names"], strict=True)):
            if number not in rows:
                # Evaluate at least one model per attempt, or the job would never make progress.
                if len(rows) > before and handle.should_yield():
                    raise ComeBackLater(timezone.now(), AWAITED)
                rows[number] = _measure(handle, number, name, path, posts, place)
                handle.record("measured", rows[number])
    except (LearningError, bases.BaseError) as error:
        raise JobFailed(error.code, error) from error
    best_first = sorted(rows.values(), key=lambda row: row["bits_per_character"])
    return {"file": arguments["shown"], "models": best_first}


def _measure(handle: JobHandle, number: str, name: str, path: Path, posts: int, place: int) -> dict[str, Any]:
    model = TrainedModel.objects.filter(pk=number).first()
    if model is None:
        raise JobFailed("model_deleted", mark("One of the models was deleted."))
    of = len(handle.job.arguments["models"])
    shown = 0.0

    def on_progress(done: int) -> None:
        nonlocal shown
        handle.check()
        if time.monotonic() - shown >= PAUSE:
            shown = time.monotonic()
            fraction = (place + done / max(1, posts)) / of
            handle.progress({"phase": "measuring", "model": name, "fraction": round(fraction, 4), "total": done})

    begun = time.monotonic()
    found = evaluation.evaluate(loading.load(model), dataset.stream_posts([path]), on_progress)
    return {
        "model": number,
        "name": name,
        "sha256": model.sha256,
        "bits_per_character": round(found.bits_per_character, 5),
        "posts": found.posts,
        "characters": found.characters,
        "seconds": round(time.monotonic() - begun, 2),
    }


def _uploaded(handle: JobHandle) -> Path:
    found = sorted(handle.work_dir.glob(f"{bases.UPLOADED}.*"))
    if not found:
        raise JobFailed(
            "file_gone", mark("The uploaded posts are no longer stored. Upload them again in a new comparison.")
        )
    return found[0]


TRAINING: Final = JobKind(
    name=bases.TRAIN_BASE,
    queue="train",
    label=_("Training of a base model"),
    template="models_app/base_training.html",
    run=run_train_base,
    left_by=model_files.left_by,
    describe=epochs.TRAIN_BASE,
    preemptible=True,
    keeps_the_best=KeepsTheBest(
        question=_("Cancel this training?"),
        loses=_(
            "You won’t get a model. Its last saved state is kept for %(hours)s hours; “Continue” starts from there. To "
            "get a model from what it has learned so far, choose “Stop and keep the best”."
        ),
        go_on=_("Keep training"),
        cancel=_("Cancel the training"),
    ),
    again=_("Continue"),
    to_take_less=_("Choose a smaller network."),
    kept=_("What it has learned is kept. “Continue” starts from there."),
)
EVALUATION: Final = JobKind(
    name=bases.EVALUATE_BASES,
    queue="train",
    label=_("Comparison of base models"),
    template="models_app/base_evaluation.html",
    run=run_evaluate_bases,
    preemptible=True,
)
