"""Tags of bots: their owner sets up to five, and others find the bot by them in the gallery."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from models_app.bots.rows import TrainedModel
from models_app.sharing.rights import SharingError
from models_app.sharing.rows import LONGEST_TAG, BotTag

MAX_TAGS: Final = 5
#: The gallery names so many tags above its cards.
SHOWN: Final = 20


class BadTags(SharingError):
    code = "bad_tags"
    param = "tags"


def normalised(text: str) -> str:
    """Return the tag in lower case, with hyphens for everything but letters and digits, or "" if nothing is left.

    "#Dad Jokes!" becomes "dad-jokes".
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    # Letters, their marks, and numbers of every script.
    kept = "".join(sign if unicodedata.category(sign)[0] in "LMN" else "-" for sign in plain)
    return re.sub("-+", "-", kept).strip("-")[:LONGEST_TAG].rstrip("-")


def in_text(text: str) -> list[str]:
    """Return the tags in a text that separates them by commas or line breaks."""
    return [part for part in re.split(r"[,\n]", text) if part.strip()]


def set_tags(model: TrainedModel, texts: Iterable[str]) -> list[str]:
    """Give the model these tags instead of its own, and return them. Texts without letters or digits are left out.

    Raises BadTags, and changes nothing then, if one is too long or there are too many. TrainedModel.DoesNotExist if the
    model was deleted meanwhile.
    """
    asked = list(texts)
    if too_long := next((text for text in asked if len(text.strip()) > LONGEST_TAG), None):
        message = _("“%(beginning)s…” is too long. A tag can have %(most)s characters.")
        raise BadTags(message % {"beginning": too_long.strip()[:20], "most": LONGEST_TAG})
    names = list(dict.fromkeys(name for text in asked if (name := normalised(text))))
    if len(names) > MAX_TAGS:
        raise BadTags(_("A bot can have at most %(most)s tags.") % {"most": MAX_TAGS})
    with transaction.atomic():
        # Locked: for a model that is deleted before the commit, the database would refuse the tags only then.
        TrainedModel.objects.select_for_update(no_key=True).only("pk").get(pk=model.pk)
        model.tags.all().delete()
        BotTag.objects.bulk_create(BotTag(model=model, name=name) for name in names)
    return names


def of(model: TrainedModel) -> list[str]:
    """Return the model's tags in the order of their owner."""
    return [tag.name for tag in model.tags.all()]


def common(models: QuerySet[TrainedModel]) -> list[str]:
    """Return the tags that most of the models have, by name."""
    found = BotTag.objects.filter(model__in=models.order_by().values("pk")).order_by().values("name")
    often = found.annotate(times=Count("pk")).order_by("-times", "name").values_list("name", flat=True)[:SHOWN]
    return sorted(often)
