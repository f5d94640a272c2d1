"""The demo bot: one bot of the gallery that writes on the front page while visitors watch.

The administrator chooses it. It writes only while no writer has anything else to do, so it delays nobody, and at most
one post every few seconds for all visitors together. In between, they see posts that it wrote before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from models_app.bots import demo_posts
from models_app.bots.errors import ModelError
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import LearningError
from models_app.sharing import rights
from models_app.writing import asking
from models_app.writing.admission import NotNow
from tweets.corpora import audit
from tweets.models import AuditEntry

logger = logging.getLogger(__name__)

#: The least seconds between the beginnings of two posts.
PAUSE: Final = 4
_SAMPLING: Final = SamplingConfig(count=1, max_characters=200)


class NotInGallery(rights.SharingError):
    code = "not_in_gallery"
    param = None


def demo_bot() -> TrainedModel | None:
    """Return the demo bot, or None if there is none that visitors may see."""
    return rights.gallery_for_user(AnonymousUser()).filter(is_demo=True).first()


def choose(model: TrainedModel, *, by: User) -> None:
    """Make the model the demo bot instead of another. Raises NotInGallery, and changes nothing then."""
    if model.visibility != rights.Visibility.PUBLIC or not rights.is_shared(model):
        raise NotInGallery(_("Only a bot in the gallery can write on the front page."))
    with transaction.atomic():
        TrainedModel.objects.filter(is_demo=True).exclude(pk=model.pk).update(is_demo=False)
        if TrainedModel.objects.filter(pk=model.pk, is_demo=False).update(is_demo=True):
            _record(model, by, is_demo=True)


def dismiss(model: TrainedModel, *, by: User) -> None:
    """Let the model no longer write on the front page."""
    with transaction.atomic():
        if TrainedModel.objects.filter(pk=model.pk, is_demo=True).update(is_demo=False):
            _record(model, by, is_demo=False)


def posts_of(model: TrainedModel) -> list[str]:
    """Return posts of the demo bot to show, first those that it wrote last, without those that were banned since."""
    return list(dict.fromkeys([*rights.presentable(demo_posts.of(model)), *rights.samples_of(model)]))


def write(model: TrainedModel, *, proceed: Callable[[], None] | None = None) -> str | None:
    """Return a new post, or None if others write now, if the last post was just begun, or if none can be written.

    Calls `proceed` while it waits; what it raises ends the writing.
    """
    if model.owner is None or not asking.is_free() or not cache.add("demo-bot:turn", 1, timeout=PAUSE):
        return None
    try:
        posts = asking.write(model=model, owner=model.owner, sampling=_SAMPLING, proceed=proceed)
    except (NotNow, LearningError, ModelError, asking.WriterFailed) as error:
        logger.warning("the demo bot %s can't write: %s", model.pk, error)
        return None
    # Its owner may have made it private meanwhile.
    if not posts or demo_bot() != model:
        return None
    demo_posts.remember(model, posts)
    return posts[0]


def _record(model: TrainedModel, by: User, *, is_demo: bool) -> None:
    audit.record(AuditEntry.Action.SHARE, by=by, about=model.full_name, subject_id=model.pk, on_front_page=is_demo)
