"""Sets who can find a model, with everything that depends on it. Who may do that: sharing/rights.py."""

from __future__ import annotations

from django.db import transaction

from botfactory.accounts.models import User
from models_app.bots.columns import set_columns
from models_app.bots.rows import TrainedModel
from tweets.corpora import audit
from tweets.models import AuditEntry


def change(model: TrainedModel, visibility: str, *, link: str | None = None, by: User | None = None) -> None:
    """Set the model's visibility and its link, and record in the audit log who did it, by default its owner.

    TrainedModel.DoesNotExist if it was deleted meanwhile.
    """
    before = model.visibility
    closed: dict[str, bool] = {}
    if visibility != TrainedModel.Visibility.PUBLIC:
        closed["is_demo"] = False
    if visibility == TrainedModel.Visibility.PRIVATE:
        closed["is_browser_open"] = False
    with transaction.atomic():
        set_columns(model, visibility=visibility, link=link, **closed)
        if visibility != before:
            audit.record(
                AuditEntry.Action.SHARE,
                by=by or model.owner,
                about=model.full_name,
                subject_id=model.pk,
                before=before,
                after=visibility,
            )
