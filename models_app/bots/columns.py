"""Sets columns of a bot whose owner may delete it at the same moment."""

from __future__ import annotations

from typing import Any

from models_app.bots.rows import TrainedModel


def set_columns(model: TrainedModel, **values: Any) -> None:
    """Set these columns in the model's row, then in the object. TrainedModel.DoesNotExist if the row was deleted."""
    if not TrainedModel.objects.filter(pk=model.pk).update(**values):
        raise TrainedModel.DoesNotExist
    for name, value in values.items():
        setattr(model, name, value)
