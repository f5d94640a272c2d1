"""The label at the beginning of each post: who wrote it, in the bot's language."""

from __future__ import annotations

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from models_app.bots.rows import TrainedModel
from publishing.models import Queue
from tweets.corpora import report

#: The longest name in a label of ours. The post needs the room.
_LONGEST_NAME = 40


def language_of(model: TrainedModel) -> str:
    """Return the code of the language of most posts that the bot learned, or "" if there is no such one."""
    return (report.main_language(model.corpus.report) if model.corpus else None) or ""


def usual_label(model: TrainedModel) -> str:
    """Return our label: in the bot's language if we have it, else in English. It mentions nobody."""
    corpus = model.corpus
    known = dict(settings.LANGUAGES)
    with translation.override(code if (code := language_of(model)) in known else "en"):
        if corpus is not None and corpus.is_example:
            return _("AI, in the voice of an invented person")
        # Without @, and without a server: either would mention the person.
        name = (corpus.account if corpus else "").lstrip("@").split("@")[0] or model.name
        return _("AI, in the voice of %(name)s") % {"name": name.replace("@", "")[:_LONGEST_NAME]}


def label_of(queue: Queue) -> str:
    """Return the label of the queue's posts, or "" for one without, where the operator allows that."""
    if queue.is_unlabelled and settings.UNLABELLED_POSTS:
        return ""
    return queue.label or usual_label(queue.model)


def labelled(queue: Queue, text: str) -> str:
    """Return the text as networks get it."""
    label = label_of(queue)
    return f"{label}:\n{text}" if label else text
