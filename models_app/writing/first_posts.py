"""Sample posts of shared bots that have none: instant bots, which no training let write."""

from __future__ import annotations

import logging
import time
from typing import Final

from models_app.bots.errors import ModelError
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import LearningError
from models_app.sharing import rights
from models_app.writing import asking
from models_app.writing.admission import NotNow

logger = logging.getLogger(__name__)

#: The most seconds that a person who shares a bot waits for its posts.
PATIENCE: Final = 10.0
_SAMPLING: Final = SamplingConfig(count=4, max_characters=200)


class _TooLate(Exception):
    """Nobody waits for these posts any longer."""


def write_missing(model: TrainedModel) -> None:
    """Let the bot write sample posts if it's shared and has none to show. Call it outside any transaction.

    They are new posts: what it wrote for its owner stays theirs. If no writer can do it in time, the bot has none
    until its owner next changes how it's shared.
    """
    if model.owner is None or not rights.is_shared(model) or rights.samples_of(model):
        return
    late = time.monotonic() + PATIENCE

    def proceed() -> None:
        if time.monotonic() > late:
            raise _TooLate

    try:
        posts = asking.write(model=model, owner=model.owner, sampling=_SAMPLING, proceed=proceed)
    except (_TooLate, NotNow, LearningError, ModelError, asking.WriterFailed) as error:
        logger.warning("the shared bot %s has no sample posts: %s", model.pk, error or "it would take too long")
        return
    TrainedModel.objects.filter(pk=model.pk).update(samples=posts)
    model.samples = posts
