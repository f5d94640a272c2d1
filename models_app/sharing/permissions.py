"""What the owner of a bot allows others besides writing with it: one switch for each, recorded in the audit log."""

from __future__ import annotations

from typing import Literal

from django.db import transaction

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from tweets.corpora import audit
from tweets.models import AuditEntry

Switch = Literal["is_game_open", "is_browser_open"]


def allow(model: TrainedModel, switch: Switch, is_open: bool, *, closed: str, opened: str, by: User) -> None:
    """Set the switch. If that changes it, the audit log says so in the words `closed` and `opened`."""
    with transaction.atomic():
        if TrainedModel.objects.filter(pk=model.pk, **{switch: not is_open}).update(**{switch: is_open}):
            before, after = (closed, opened) if is_open else (opened, closed)
            audit.record(
                AuditEntry.Action.SHARE,
                by=by,
                about=model.full_name,
                subject_id=model.pk,
                before=before,
                after=after,
            )
    setattr(model, switch, is_open)
