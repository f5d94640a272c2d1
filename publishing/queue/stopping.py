"""Stop all bots of a person, and let those of a person or of everybody post again without making anything up."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from botfactory.accounts.models import User
from models_app.bots.errors import UnknownModel
from publishing.models import Publication, Queue, Stop
from publishing.queue import services
from publishing.sending import sender


def stop_all(user: User) -> None:
    """Send nothing of any bot of the person from now on. What a sender has already taken may still appear."""
    Stop.objects.get_or_create(owner=user)


def go_on_all(user: User) -> None:
    """Let the person's bots post again, unless they are stopped one by one."""
    with transaction.atomic():
        Stop.objects.filter(owner=user).delete()
        _plan_anew(Queue.objects.filter(model__owner=user))


def go_on_everywhere() -> None:
    """Plan anew what waited while the administrator had stopped all posting."""
    with transaction.atomic():
        _plan_anew(Queue.objects.all())


def _plan_anew(queues: QuerySet[Queue]) -> None:
    waiting = Publication.objects.filter(state=Publication.State.WAITING).values("proposal__queue")
    for queue in queues.filter(pk__in=waiting).select_related("model").order_by("pk"):
        try:
            with services.held(queue.model) as now:
                sender.resume(now)
        except UnknownModel:
            continue
