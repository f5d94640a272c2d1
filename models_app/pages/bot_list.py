"""The list of a person's bots: their states, filters and orders."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Case, Exists, F, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Lower
from django.db.models.lookups import IsNull
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.states import HELD
from botfactory.web.listing import holding
from models_app.bots.rows import TrainedModel
from models_app.writing.keeping.rows import PostReport
from models_app.writing.rows import Generation

#: The state of a bot -> what people read. templates/includes/bot_dot.html has the dots.
STATES: Final = {
    "ready": _("Ready"),
    "busy": _("Report card in progress"),
    "reported": _("Posts reported"),
    "retired": _("Retired"),
}
SORTS: Final = {
    "": _("Newest first"),
    "name": _("By name"),
    "bits": _("Fewest bits per character"),
    "written": _("Last written"),
}
_ORDERS: Final[dict[str, tuple[Any, ...]]] = {
    "": ("-created_at", "pk"),
    "name": (Lower("name"), "pk"),
    "bits": (F("bits_per_character").asc(nulls_last=True), "-created_at", "pk"),
    "written": (F("written_at").desc(nulls_last=True), "-created_at", "pk"),
}


def with_state(models: QuerySet[TrainedModel]) -> QuerySet[TrainedModel]:
    """Annotate each bot with its `state`, one of STATES."""
    is_reported = Exists(PostReport.objects.filter(model=OuterRef("pk"), closed_at=None))
    return models.annotate(
        state=Case(
            When(IsNull(F("retired_at"), False), then=Value("retired")),
            When(is_reported, then=Value("reported")),
            When(job__state__in=HELD, then=Value("busy")),
            default=Value("ready"),
        )
    )


def with_last_post(models: QuerySet[TrainedModel], user: Any) -> QuerySet[TrainedModel]:
    """Annotate each bot with when it last wrote for the person, `written_at`, and the posts of that time, `written`."""
    last = Generation.objects.filter(owner=user, model=OuterRef("pk")).order_by("-created_at")
    return models.annotate(
        written_at=Subquery(last.values("created_at")[:1]), written=Subquery(last.values("posts")[:1])
    )


def find(
    models: QuerySet[TrainedModel],
    user: Any,
    *,
    words: str = "",
    tier: str = "",
    visibility: str = "",
    state: str = "",
    sort: str = "",
) -> QuerySet[TrainedModel]:
    """Return the bots that have all the words in their name or the name of their posts, and pass the filters.

    Each has its state and the last posts that it wrote for `user`. `sort` is one of SORTS.
    """
    exact = {"tier": tier, "visibility": visibility, "state": state}
    found = with_last_post(with_state(models), user).filter(**{name: value for name, value in exact.items() if value})
    return found.filter(holding(words, "name", "corpus_name")).order_by(*_ORDERS[sort])
