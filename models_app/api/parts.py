"""What the routers of models share: the statuses of errors, examples, and finding the model that is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.rest.access import person
from botfactory.rest.errors import ApiError, bad_value, missing_is_404, not_found, register_errors, status_of
from botfactory.words.translation import translated
from models_app.bots import guards, naming, versions
from models_app.bots.errors import ModelError, ModelRetired
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.errors import BadSampling, LearningError
from models_app.search.services import SearchNotPossible
from models_app.sharing import access
from models_app.sharing import rights as sharing
from models_app.sharing.tags import BadTags
from models_app.training import starting_points
from models_app.writing.admission import NotNow
from models_app.writing.playing.services import ToldApart
from tweets.corpora import services as corpora
from tweets.corpora.errors import CorpusError
from tweets.models import Corpus

register_errors(
    {
        ModelError: 422,
        ModelRetired: 409,
        SearchNotPossible: 409,
        versions.NoBaseModel: 409,
        naming.NameTaken: 409,
        naming.BadName: 422,
        sharing.SharingError: 409,
        BadTags: 422,
        sharing.BasisUnknown: 422,
        # A damaged model on disk isn't the caller's mistake.
        LearningError: 500,
        BadSampling: 422,
        guards.GuardLost: 409,
        NotNow: 503,
    }
)

#: For the examples in the OpenAPI document.
MODEL: Final = "9b1e1d52-0f0c-4a35-8a77-0a5d7a3f6c11"
BASE: Final = "5f0c9f1e-7a39-4b0e-9d51-3a1f6f0b2c44"
CORPUS: Final = "4a7a5f0e-52b0-4a0f-8a71-3f6a5bd7a9d0"
JOB: Final = "0d8c1a40-3f6e-4d39-a3c1-d1d2a0c4b0a1"
MOMENT: Final = "2026-11-25T12:00:00.000Z"
LABEL: Final = "AI parody of @dril.bsky.social, not by @dril.bsky.social."
HYPERPARAMETERS: Final[dict[str, Any]] = {
    "epochs": 2,
    "batch_size": 32,
    "sequence_length": 64,
    "learning_rate": 0.003,
    "final_learning_rate": 0.01,
    "warmup_steps": 25,
    "dropout": 0.06,
    "clip_norm": 1.0,
    "beta_2": 0.99,
    "rounds": 1,
    "seed": 1,
}
REPORT: Final[dict[str, Any]] = {
    "bits_per_character": 2.12,
    "base_bits_per_character": 2.61,
    "novelty": {"bot": 0.99, "held_out": 1.0, "base": 1.0},
    "voice": {"bot": 0.81, "held_out": 0.9, "base": 0.1},
    "real_words": {"bot": 0.97, "held_out": 0.98, "base": 0.96},
    "told_apart": {"share": 0.68, "error": 0.033, "posts": 100},
    "sense": 2.3,
}
TOLD_BY_PEOPLE: Final[dict[str, Any]] = {
    "share": 0.75,
    "error": 0.0395,
    "games": 12,
    "people": 5,
    "right": 90,
    "posts": 120,
    "low": 0.6656,
    "high": 0.8189,
}
#: What the fields of that mean.
ABOUT_PEOPLE: Final = (
    "The same in the guessing game: the `share` of posts that people correctly called real or generated, its standard "
    "`error`, the number of `games` and of `people`, and the numbers of `right` answers and of judged `posts`. `low` "
    "and `high` are the ends of the share's Wilson score interval at 95 %. Unlike the standard error, it doesn't "
    "vanish if all answers are right or all are wrong. Null if nobody has played."
)


def told_by_people(model: TrainedModel) -> dict[str, Any] | None:
    """Return how often people told the model's posts from real ones, or None if nobody has played."""
    figure = ToldApart.of(model)
    return None if figure is None else asdict(figure)


@contextmanager
def about(param: str) -> Iterator[None]:
    """Say that an error of a service in this block is about this field, unless the error names another."""
    try:
        yield
    except (CorpusError, ModelRetired, naming.NameTaken, BadSampling) as error:
        named: str | None = getattr(error, "param", None)
        raise ApiError(status_of(error) or 422, error.code, translated(error), param=named or param) from None


def corpus_to_learn(owner: User, corpus_id: uuid.UUID) -> Corpus:
    """Return the corpus that a body names. Raises the 422 answer if it isn't the person's."""
    try:
        return corpora.corpus_for_user(owner, corpus_id)
    except Corpus.DoesNotExist:
        raise bad_value("corpus", _("There is no such corpus, or it isn’t yours."), code="unknown_corpus") from None


def start_of(owner: User, model_id: uuid.UUID | None, tier: Tier | None) -> TrainedModel:
    """Return the model that a training starts from. Raises the answer that says what is wrong with a body's choice."""
    try:
        with about("model"):
            return starting_points.start_for_user(owner, model_id, tier)
    except TrainedModel.DoesNotExist:
        raise bad_value("model", _("There is no such model, or it isn’t yours."), code="unknown_model") from None


def model_or_404(request: HttpRequest, model_id: uuid.UUID, *, to_change: bool = False) -> TrainedModel:
    """Return the model if the person may see it or, with `to_change`, change it. Raises the 404 answer otherwise."""
    user = person(request)
    with missing_is_404(TrainedModel.DoesNotExist, "model"):
        model = access.model_for_user(user, model_id)
    if to_change and sharing.Right.CHANGE not in sharing.rights_of(user, model):
        raise not_found("model")
    return model
