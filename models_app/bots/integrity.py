"""Checks the files of a model: present, readable, unchanged since they were registered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.utils.translation import gettext as _

from botfactory.ops.checks import REPAIR
from botfactory.words.translation import translated
from models_app.bots import files, guards, versions
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.state_file import StateError


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem with the files of a model, and what to do about it."""

    what: str
    advice: str
    #: Only the copy guard is damaged, and the posts to rebuild it exist.
    guard_can_be_rebuilt: bool = False


def trouble_of(model: TrainedModel) -> Trouble | None:
    """Hash the weights again; return what is wrong, or None if nothing is."""
    path = files.path_of(model)
    advice = advice_for(model)
    if not path.is_dir():
        return Trouble(_("its folder is missing: %(path)s") % {"path": path}, advice)
    try:
        described = str(checkpoint.describe(path).get("sha256"))
        with (path / checkpoint.WEIGHTS).open("rb") as weights:
            found = hashlib.file_digest(weights, "sha256").hexdigest()
        files.network_of(model)
    except (CheckpointError, OSError) as error:
        return Trouble(_("its files can’t be read: %(reason)s") % {"reason": translated(error)}, advice)
    if found != described:
        what = _("its weights have changed since they were saved: %(found)s instead of %(expected)s")
        return Trouble(what % {"found": found[:12], "expected": described[:12]}, advice)
    if found != model.sha256:
        what = _("its files belong to another model: %(found)s instead of %(expected)s")
        return Trouble(what % {"found": found[:12], "expected": model.sha256[:12]}, advice)
    return _guard_trouble(model)


def _guard_trouble(model: TrainedModel) -> Trouble | None:
    """Return a problem of the copy guard. A missing one is no problem if it can be rebuilt from the posts."""
    file = files.path_of(model) / FINGERPRINTS
    state = guards.state_of(model)
    advice = _("restore the file from your backup, or have its owner train a new bot")
    if state is guards.State.LOST:
        what = _("it can’t write: its copy guard is missing, and the posts to rebuild it are deleted: %(file)s")
        return Trouble(what % {"file": file}, advice)
    if state is guards.State.KEPT:
        try:
            CopyGuard.load(file)
        except CheckpointError as error:
            what = _("it can’t write: its copy guard can’t be read: %(reason)s") % {"reason": translated(error)}
            if guards.state_without_file(model) is guards.State.TO_BE_MADE and isinstance(error.__cause__, StateError):
                repair = _("run `%(command)s`, which rebuilds the guard from the posts") % {"command": REPAIR}
                return Trouble(what, repair, guard_can_be_rebuilt=True)
            return Trouble(what, advice)
    return None


def advice_for(model: TrainedModel) -> str:
    """Return what to do about damaged files of the model."""
    path = files.path_of(model)
    tier = Tier(model.tier)
    if model.owner_id is None and model.sha256 == versions.shipped_sha256(tier):
        advice = _("delete the folder %(path)s; it is then copied again from %(source)s")
        return advice % {"path": path, "source": versions.shipped_directory(tier)}
    if model.is_base:
        advice = _("restore %(path)s from your backup, or make another model the base model (Admin, Base models)")
        return advice % {"path": path}
    return _("restore %(path)s from your backup, or delete the model in the administration") % {"path": path}
