"""Delete posts of deleted bots where they were published. The bots are gone; what this needs stays until it is done.

Deleting a post twice changes nothing, so a process that dies does no harm: the next one begins again.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q
from django.utils import timezone

from botfactory.broker import doorbell
from botfactory.words.translation import stored
from models_app.bots.rows import TrainedModel
from publishing.models import Account, FormerAccount, Publication
from publishing.networks.base import Later, LoggedOut, NetworkError, Outgoing, Poster
from publishing.rules import labels
from publishing.sending import sender

logger = logging.getLogger(__name__)

#: The task that does it (publishing/tasks.py).
CLEAN: Final = "publishing.tasks.clean"
#: Posts that are deleted in one go, and how long that may take.
_MOST, _LEASE = 20, timedelta(minutes=15)
#: After this time, nothing more is tried.
GIVEN_UP_AFTER: Final = timedelta(days=7)
_PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 360))

_State = Publication.State
#: The network has these posts, or may have them.
THERE: Final = (_State.POSTED, _State.RECALLING, _State.SENDING, _State.UNKNOWN)


def keep(model: TrainedModel) -> None:
    """Note what is to be deleted on networks. Called in the transaction that deletes the bot."""
    list(TrainedModel.objects.select_for_update(no_key=True).filter(pk=model.pk).values_list("pk"))
    rows = Publication.objects.filter(proposal__queue__model=model)
    # No sender takes one any more. What one has taken already counts below.
    Publication.objects.filter(pk__in=rows.filter(state=_State.WAITING).values("pk"), state=_State.WAITING).update(
        state=_State.MISSED
    )
    for account in Account.objects.filter(queue__model=model).exclude(credentials=""):
        there = rows.filter(Q(state__in=THERE) | sender.MAYBE_THERE, account=account).select_related(
            "proposal__queue__model__corpus"
        )
        posts = [_needed(row) for row in there]
        if posts:
            is_sending = any(row.state == _State.SENDING for row in there)
            FormerAccount.objects.create(
                owner=model.owner,
                bot=model.name,
                network=account.network,
                remote_id=account.remote_id,
                handle=account.handle,
                credentials=account.credentials,
                posts=posts,
                next_at=timezone.now() + (sender.LEASE if is_sending else timedelta(0)),
            )


def _needed(row: Publication) -> dict[str, Any]:
    return {
        "remote_id": row.remote_id,
        "address": row.address,
        "key": row.key,
        # To look for it, as long as nobody knows whether it's there.
        "text": "" if row.remote_id else row.text,
        "began_at": row.began_at.isoformat() if row.began_at else None,
        "language": labels.language_of(row.proposal.queue.model),
    }


def look() -> None:
    """Call a worker if something is to be deleted."""
    if FormerAccount.objects.filter(next_at__lte=timezone.now()).exists():
        try:
            doorbell.ring(CLEAN, queue=sender.QUEUE)
        except Exception as error:
            logger.warning("posts of deleted bots: the broker can't be reached (%s); later", error)


def clean_next() -> bool:
    """Delete posts of the next account that is due, if there is one."""
    now = timezone.now()
    row = FormerAccount.objects.filter(next_at__lte=now).order_by("next_at").first()
    if row is None:
        return False
    mine = FormerAccount.objects.filter(pk=row.pk, attempts=row.attempts)
    if not mine.update(attempts=F("attempts") + 1, next_at=now + _LEASE):
        return True
    row.attempts += 1
    changed = _cleaned(row)
    mine = FormerAccount.objects.filter(pk=row.pk, attempts=row.attempts)
    if row.posts:
        mine.update(posts=row.posts, **changed)
    else:
        mine.delete()
    return True


def _cleaned(row: FormerAccount) -> dict[str, Any]:
    """Delete some posts, and take them off the row. Return what to write into it."""
    now = timezone.now()
    try:
        poster = sender.poster_of(row)
        for post in row.posts[:_MOST]:
            _delete(poster, post)
            row.posts.remove(post)
    except LoggedOut as error:
        return _given_up(error.said)
    except NetworkError as error:
        if now - row.created_at > GIVEN_UP_AFTER:
            return _given_up(error.said)
        pause = _PAUSES[min(row.attempts - 1, len(_PAUSES) - 1)]
        at = error.at if isinstance(error, Later) else now + pause
        return {"next_at": at, "error": str(error.said), "error_words": stored(error.said)}
    return {"next_at": now, "attempts": 0, "error": "", "error_words": {}}


def _given_up(said: str) -> dict[str, Any]:
    # The administration and a mail say which posts are left.
    fresh = {"next_at": None, "credentials": "", "mail_due_at": timezone.now()}
    return {**fresh, "error": str(said), "error_words": stored(said)}


def _delete(poster: Poster, post: dict[str, Any]) -> None:
    if post["remote_id"]:
        poster.delete(post["remote_id"])
    elif post["began_at"]:
        began = datetime.fromisoformat(post["began_at"])
        poster.withdraw(Outgoing(post["key"], post["text"], began, post["language"]))
