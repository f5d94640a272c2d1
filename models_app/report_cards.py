"""A report card made anew, as a job: of a model whose posts are still as it learned them."""

from __future__ import annotations

from typing import Final

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from models_app import services
from models_app.models import TrainedModel
from tweets import services as corpora

REPORT_CARD: Final = "report_card"


def remake(model: TrainedModel, *, by: User) -> Job:
    """A job of `by` is queued that measures `model` again. BadRequest where nobody knows any more what it learned."""
    learned_posts(model)
    return jobs.submit(
        owner=by,
        kind=REPORT_CARD,
        title=f"Report card of {model.full_name}",
        arguments={"model": str(model.pk)},
    )


def learned_posts(model: TrainedModel) -> list[str]:
    """The posts that the model learned and was checked on, in their order; BadRequest where they have changed.

    Split by another order, posts that were learned would be taken for held-out ones.
    """
    if model.owner_id is None:
        raise services.BadRequest("This is a version of the base model: evaluate it side by side with others.")
    if model.corpus is None:
        raise services.BadRequest("The posts that it learned from are gone: it keeps the report card that it has.")
    posts = corpora.training_posts(model.corpus)
    if (len(posts), sum(map(len, posts))) != (model.posts, model.characters) or "seed" not in model.training:
        raise services.BadRequest(
            "Its posts have changed since it learned them, so nobody knows which were held out: it keeps the report "
            "card that it has."
        )
    return posts
