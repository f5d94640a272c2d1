"""Whether the files of a model are those that were registered: present, readable, unchanged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from botfactory.ops.checks import REPAIR
from models_app import guards, registry
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.state_file import StateError
from models_app.model_files import FINGERPRINTS
from models_app.models import TrainedModel


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the files of a model, and what to do about it."""

    what: str
    advice: str
    #: It is the copy guard's file alone, and the posts are here.
    guard_can_be_made: bool = False


def trouble_of(model: TrainedModel) -> Trouble | None:
    """The weights are hashed anew; None where everything is as it was registered."""
    path = registry.path_of(model)
    advice = advice_for(model)
    if not path.is_dir():
        return Trouble(f"its folder is missing: {path}", advice)
    try:
        described = str(checkpoint.describe(path).get("sha256"))
        with (path / checkpoint.WEIGHTS).open("rb") as weights:
            found = hashlib.file_digest(weights, "sha256").hexdigest()
    except (CheckpointError, OSError) as error:
        return Trouble(f"its files cannot be read: {error}", advice)
    if found != described:
        return Trouble(f"its weights have changed: they are {found[:12]}, and {described[:12]} was saved", advice)
    if found != model.sha256:
        return Trouble(f"its files are another model's: {found[:12]}, and {model.sha256[:12]} was registered", advice)
    return _guard_trouble(model)


def _guard_trouble(model: TrainedModel) -> Trouble | None:
    """A guard that is missing is no trouble while the posts are here: it is made again when it is needed."""
    file = registry.path_of(model) / FINGERPRINTS
    state = guards.state_of(model)
    if state is guards.State.LOST:
        return Trouble(
            f"its copy guard is missing and so are the posts to make it again, so it doesn't write: {file}",
            "restore the file from your backup, or have its owner train a new bot",
        )
    if state is guards.State.KEPT:
        try:
            CopyGuard.load(file)
        except CheckpointError as error:
            what = f"its copy guard can't be read, so it doesn't write: {error}"
            if guards.state_without_file(model) is guards.State.TO_BE_MADE and isinstance(error.__cause__, StateError):
                return Trouble(what, f"run `{REPAIR}`: it's made again from the posts", guard_can_be_made=True)
            return Trouble(what, "restore the file from your backup, or have its owner train a new bot")
    return None


def advice_for(model: TrainedModel) -> str:
    path = registry.path_of(model)
    if model.owner_id is None and model.sha256 == registry.shipped_sha256():
        return f"delete the folder {path}: it is copied again from {registry.shipped_directory()}"
    if model.is_base:
        return f"restore {path} from your backup, or make another one the base model (Admin, Base models)"
    return f"restore {path} from your backup, or delete the model in the administration"
