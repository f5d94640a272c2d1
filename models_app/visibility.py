"""Sets who can find a model, with everything that depends on it. Who may do that: sharing/rights.py."""

from __future__ import annotations

from django.db import transaction

from botfactory.accounts.models import User
from models_app.models import TrainedModel
from tweets import audit
from tweets.models import AuditEntry


def change(model: TrainedModel, visibility: str, *, link: str | None = None, by: User | None = None) -> None:
    """Set the model's visibility and its link, and record in the audit log who did it, by default its owner."""
    before, model.visibility, model.link = model.visibility, visibility, link
    if visibility != TrainedModel.Visibility.PUBLIC:
        model.is_demo = False
    if visibility == TrainedModel.Visibility.PRIVATE:
        model.is_browser_open = False
    with transaction.atomic():
        model.save(update_fields=["visibility", "link", "is_demo", "is_browser_open"])
        if visibility != before:
            audit.record(
                AuditEntry.Action.SHARE,
                by=by or model.owner,
                about=model.full_name,
                subject_id=model.pk,
                before=before,
                after=visibility,
            )
