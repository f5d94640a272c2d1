"""Reported posts: guests of a bot report what it wrote for them; its owner and the administrator deal with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts import locking
from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.writing.keeping import services
from models_app.writing.keeping.rows import PostReport
from models_app.writing.rows import Generation

#: The most reports of a person within 24 hours.
MAX_A_DAY: Final = 20
_DAY: Final = timedelta(days=1)


class ReportError(Exception):
    """A post can't be reported; the message tells the person why."""

    code = "cannot_be_reported"


class ReportedEnough(ReportError):
    code = "reported_enough"


def may_report(user: Any, model: TrainedModel) -> bool:
    """Return whether the person may report posts by this model: it is somebody else's."""
    return bool(user.is_authenticated and user.is_active and model.owner_id != user.pk)


@transaction.atomic
def report(*, generation: Generation, number: int, reason: str, note: str = "") -> PostReport:
    """Report a post that the bot wrote for the generation's owner. Reporting it again changes nothing.

    Raises NoSuchPost, ReportError, ReportedEnough.
    """
    text, by = services.post_of(generation, number), generation.owner
    if not may_report(by, generation.model):
        raise ReportError(_("This is your own bot. To stop it from writing such posts, ban words or train it again."))
    if reason not in PostReport.Reason.values:
        raise ReportError(_("Choose what is wrong with the post."))
    locking.lock(by.pk)
    services.require_there(generation)
    there = PostReport.objects.filter(reporter=by, generation=generation, number=number)
    if (found := there.first()) is not None:
        return found
    if PostReport.objects.filter(reporter=by, created_at__gt=timezone.now() - _DAY).count() >= MAX_A_DAY:
        message = ngettext(
            "You can report at most %(count)s post within 24 hours. Try again tomorrow.",
            "You can report at most %(count)s posts within 24 hours. Try again tomorrow.",
            MAX_A_DAY,
        )
        raise ReportedEnough(message % {"count": MAX_A_DAY})
    try:
        with transaction.atomic():
            return PostReport.objects.create(
                model=generation.model,
                reporter=by,
                generation=generation,
                number=number,
                text=text,
                reason=reason,
                note=" ".join(note.replace("\x00", "").split())[:500],
            )
    except IntegrityError:
        return there.get()


def open_reports(model: TrainedModel) -> QuerySet[PostReport]:
    """Return the reports of the model's posts that nobody has dealt with, newest first."""
    return PostReport.objects.filter(model=model, closed_at=None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Reports that somebody should look at. `name`: of the bot, or "" for those of all bots, for administrators."""

    name: str
    count: int
    address: str


def waiting_for(user: User) -> list[Waiting]:
    """Return the open reports of the person's bots and, for administrators, of all bots."""
    of_own_bots = PostReport.objects.filter(model__owner=user, closed_at=None).order_by("model__name")
    counts = of_own_bots.values_list("model", "model__name").annotate(count=Count("pk"))
    found = [Waiting(name, count, f"{reverse('model', args=[key])}#share") for key, name, count in counts]
    if user.is_staff and user.has_perm("models_app.view_postreport"):
        count = PostReport.objects.filter(closed_at=None).count()
        address = f"{reverse('admin:models_app_postreport_changelist')}?closed_at__isempty=1"
        found += [Waiting("", count, address)] if count else []
    return found


def report_for_user(user: User, report_id: uuid.UUID) -> PostReport:
    """Return a report of a post by one of the person's bots. Raises PostReport.DoesNotExist for others."""
    return PostReport.objects.select_related("model").get(pk=report_id, model__owner=user)


def close(reports: QuerySet[PostReport]) -> int:
    """Mark the reports as dealt with. Return how many weren't before."""
    return reports.filter(closed_at=None).update(closed_at=timezone.now())
