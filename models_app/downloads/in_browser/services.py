"""Who may let a bot write in their browser."""

from __future__ import annotations

import uuid
from typing import Any

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.downloads.in_browser import files
from models_app.sharing import access, permissions
from models_app.sharing import rights as sharing


def own_bot_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """Return a bot of the person's own. Raises TrainedModel.DoesNotExist for others."""
    return _carried(user, access.model_for_user(user, model_id))


def shared_bot_for_user(user: Any, model_id: uuid.UUID | None, link: str) -> TrainedModel:
    """Return a bot in the gallery, or the one with this link, that its owner lets others take along.

    Raises TrainedModel.DoesNotExist.
    """
    if model_id is None:
        return _carried(user, sharing.shared_by_link(user, link), link)
    return _carried(user, sharing.shared_for_user(user, model_id))


def _carried(user: Any, model: TrainedModel, link: str = "") -> TrainedModel:
    if sharing.Right.CARRY not in sharing.rights_of(user, model, link=link):
        raise TrainedModel.DoesNotExist
    return model


def set_open(model: TrainedModel, is_open: bool, *, by: User) -> None:
    """Let others take the bot along, or no longer. The audit log records it, since it gives its weights away."""
    is_open = is_open and files.can_be_carried(model)
    permissions.allow(model, "is_browser_open", is_open, closed="server only", opened="in browsers", by=by)
