"""How well a model, and the base model that it comes from, predict posts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

from models_app.bots import files, loading
from models_app.bots.rows import TrainedModel
from models_app.ml.evaluation import evaluation
from models_app.ml.evaluation.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The evaluation of a model, and of the base model that it comes from, if that still exists."""

    model: Evaluation
    base: TrainedModel | None
    by_base: Evaluation | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, without the base model's row."""
        return {"model": asdict(self.model), "by_base": None if self.by_base is None else asdict(self.by_base)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, base: TrainedModel | None) -> Self:
        by_base = values["by_base"]
        return cls(
            model=Evaluation.from_dict(values["model"]),
            base=base if by_base else None,
            by_base=Evaluation.from_dict(by_base) if by_base else None,
        )


def base_of(model: TrainedModel) -> TrainedModel | None:
    """Return the version of the base model that this model comes from, directly or through other bots.

    Returns None for a version itself, and if a bot in between is deleted.
    """
    found: TrainedModel | None = model
    while found is not None and not _is_version(found):
        found = found.parent
    return None if found == model else found


def _is_version(model: TrainedModel) -> bool:
    return model.owner_id is None or model.is_base


def evaluate(model: TrainedModel, posts: list[str], *, proceed: Callable[[], None] | None = None) -> Evaluated:
    """Evaluate the model and the base model that it comes from on the posts.

    Calls `proceed` now and then; if it raises, the work ends.
    """
    base = base_of(model)

    def measured(by: TrainedModel) -> Evaluation:
        on_progress = None if proceed is None else lambda _: proceed()
        context = files.context_of(files.path_of(by))
        return evaluation.evaluate(loading.load(by), posts, on_progress, context=context)

    return Evaluated(model=measured(model), base=base, by_base=None if base is None else measured(base))
