"""Search and order the bots of the gallery."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower

from botfactory.web.listing import holding
from models_app.bots.rows import TrainedModel
from models_app.sharing import tags
from models_app.sharing.rows import BotTag
from models_app.writing.keeping.rows import KeptPost

#: How the gallery can be ordered; equal ones come newest first.
ORDERS: Final[dict[str, Iterable[str]]] = {"": (), "kept": ("-kept_by_others",), "name": ("lower_name",)}


def find(models: QuerySet[TrainedModel], *, words: str = "", tag: str = "", order: str = "") -> QuerySet[TrainedModel]:
    """Return the models with this tag, and with each of the words in their name, their tags or the account on their
    label. Each has the number of its posts that people other than its owner keep, in `kept_by_others`.
    """
    if tag:
        models = models.filter(tags__name=tags.normalised(tag))
    for word in words.replace("@", " ").replace("#", " ").split():
        tagged = BotTag.objects.filter(holding(word, "name")).values("model")
        models = models.filter(holding(word, "name", "corpus__handle") | Q(pk__in=tagged))
    kept = KeptPost.objects.filter(model=OuterRef("pk")).exclude(owner=F("model__owner")).order_by().values("model")
    counted = Coalesce(Subquery(kept.annotate(count=Count("pk")).values("count")), 0)
    return (
        models.annotate(kept_by_others=counted, lower_name=Lower("name"))
        .order_by(*ORDERS[order], "-created_at", "-pk")
        .prefetch_related("tags")
    )
