"""Send posts, each exactly once: claim one that is due by a conditional UPDATE, send it, and write what came of it.

If nobody can tell whether a post was published, it's `unknown`: nothing is sent again before the network has been
asked. A sender that dies leaves its row in `sending`, which counts as unknown as soon as its process is gone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from botfactory import net
from botfactory.broker import doorbell
from botfactory.jobs import processes
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import stored
from models_app.ml.errors import LearningError
from publishing import wall_times
from publishing.models import Account, FormerAccount, Publication, Queue
from publishing.networks.answers import PATIENCE
from publishing.networks.base import (
    Access,
    Later,
    LoggedOut,
    NetworkError,
    NotAccepted,
    Outgoing,
    Poster,
    Published,
    Unclear,
)
from publishing.rules import apps, credentials, judging, labels, planning, stops
from publishing.sending import notices

logger = logging.getLogger(__name__)

#: Workers that mostly wait for other servers.
QUEUE: Final = "webhooks"
#: The task that takes the messages (publishing/tasks.py).
SEND: Final = "publishing.tasks.send"
#: What is later than this isn't sent any more.
LATEST: Final = timedelta(minutes=60)
#: A sender that hasn't written its result after this time is presumed dead, wherever it ran. A try takes far less.
LEASE: Final = timedelta(minutes=5)
#: Pauses before the network is asked again, and before something that certainly wasn't sent is tried again.
_PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120, 300, 1800, 3600))
#: The longest of them while the post may still be sent: however often it was tried, there's time for another try.
_LONGEST_IN_TIME: Final = timedelta(minutes=5)
#: A post that isn't there so soon after a try may still appear.
_SETTLED: Final = timedelta(minutes=2)

_State = Publication.State
_ASKING: Final = (_State.UNKNOWN, _State.RECALLING)
#: Given up, and nobody knows whether an earlier try arrived.
MAYBE_THERE: Final = Q(state=_State.MISSED, began_at__isnull=False) | Q(state=_State.FAILED, began_at__lt=F("tried_at"))


def ring() -> None:
    """Call a worker for what is due. If the broker can't be reached, the scheduler's next look finds it."""
    try:
        doorbell.ring(SEND, queue=QUEUE)
    except Exception as error:
        logger.warning("posts: the broker can't be reached (%s); they are sent later", error)


def look() -> None:
    """Call a worker for what is due, and say what was missed."""
    give_up_late_ones()
    release_of_the_dead()
    if next(_due(), None) is not None:
        ring()


def send_next() -> bool:
    """Do the next thing that is due, if there is one. If more is due, call another worker for it."""
    release_of_the_dead()
    publication = claim_next()
    if publication is None:
        return False
    attempt(publication)
    if next(_due(), None) is not None:
        ring()
    return True


def give_up_late_ones() -> int:
    """Mark as missed what is too late, and return how many. What a stopped bot or a broken account has, waits."""
    now, count = timezone.now(), 0
    for row in _ready():
        if row.due is not None and row.due < now - LATEST:
            mine = Publication.objects.filter(pk=row.pk, state=_State.WAITING, attempts=row.attempts)
            with transaction.atomic():
                if mine.update(**_missed(row)):
                    row.refresh_from_db()
                    notices.note(row)
                    count += 1
    return count


def _missed(row: Publication) -> dict[str, Any]:
    # What was wrong at the last try says why, if there was one.
    said = {} if row.error else _said(mark("It was more than an hour late, so it wasn’t sent."))
    return {"state": _State.MISSED, "next_at": None, "sender": "", **said}


def release_of_the_dead() -> None:
    """Have the network asked about what dead senders left. Nobody knows how far they came."""
    now = timezone.now()
    for row in Publication.objects.filter(state=_State.SENDING):
        if processes.is_gone(row.sender) or row.next_at is None or row.next_at <= now:
            mine = Publication.objects.filter(pk=row.pk, state=_State.SENDING, attempts=row.attempts)
            mine.update(state=_State.UNKNOWN, next_at=now, sender="", attempts=F("attempts") + 1)
    for row in Publication.objects.filter(state__in=_ASKING).exclude(sender=""):
        if processes.is_gone(row.sender):
            mine = Publication.objects.filter(pk=row.pk, state=row.state, attempts=row.attempts)
            mine.update(next_at=now, sender="")


def claim_next() -> Publication | None:
    """Claim the next publication and return it; None if nothing is due. An account has one sender at a time."""
    for row in _due():
        now = timezone.now()
        mine = Publication.objects.filter(pk=row.pk, state=row.state, attempts=row.attempts, sender=row.sender)
        # In the same statement as the claim: a stop that comes before it holds everything back.
        if row.state == _State.WAITING:
            mine = mine.filter(account__in=_working_accounts())
        changed: dict[str, Any] = {"attempts": F("attempts") + 1, "sender": processes.name_of(os.getpid())}
        changed |= {"next_at": now + LEASE}
        if row.state == _State.WAITING:
            text = row.text or labels.labelled(row.proposal.queue, row.proposal.text)
            changed |= {"state": _State.SENDING, "tried_at": now, "began_at": row.began_at or now, "text": text}
        if mine.update(**changed):
            return Publication.objects.select_related(*_WITH).get(pk=row.pk)
    return None


_WITH: Final = ("account__queue", "proposal__queue__model__corpus", "proposal__queue__model__owner")


def attempt(publication: Publication) -> Publication:
    """Do what a claimed publication needs: send it, ask about it, or recall it. Write what came of it."""
    try:
        if publication.state == _State.SENDING:
            changed = _sent(publication)
        elif publication.state == _State.RECALLING:
            changed = _recalled(publication)
        else:
            changed = _asked(publication)
    except Exception:
        # Nobody knows how far it came, so the network is asked.
        logger.exception("publication %s: an attempt broke off", publication.pk)
        changed = _unclear(publication, mark("Something went wrong on our side. We’re asking the network."))
    with transaction.atomic():
        if changed and _writable(publication, changed).update(sender="", **changed):
            publication.refresh_from_db()
            if "state" in changed:
                notices.note(publication)
        else:
            logger.warning("publication %s: attempt %s was overtaken", publication.pk, publication.attempts)
    return publication


def _mine(publication: Publication) -> QuerySet[Publication]:
    """Return the row, unless another sender has taken over."""
    return Publication.objects.filter(pk=publication.pk, attempts=publication.attempts, state=publication.state)


def _writable(publication: Publication, changed: Mapping[str, Any]) -> QuerySet[Publication]:
    """Return the row, unless another sender has taken over and knows more.

    One that has given up doesn't: this one slept while it sent the post, so it's there, or may be.
    """
    mine = Q(attempts=publication.attempts, state=publication.state)
    if publication.state == _State.SENDING and changed.get("state") in (_State.POSTED, _State.UNKNOWN):
        mine |= Q(state__in=(_State.WAITING, _State.FAILED, _State.MISSED))
    return Publication.objects.filter(mine, pk=publication.pk)


def _renewed(publication: Publication) -> bool:
    """Return whether the row is still this sender's. The machine may have slept since it was claimed."""
    now = timezone.now()
    return bool(_mine(publication).filter(next_at__gt=now).update(next_at=now + LEASE))


def _sent(publication: Publication) -> dict[str, Any]:
    """Send the post once; return what to write into the row, nothing if another sender has taken over."""
    model = publication.proposal.queue.model
    try:
        # Both, because a label makes a copy less of one.
        judging.require_allowed(model, publication.proposal.text)
        judging.require_allowed(model, publication.text)
    except (judging.NotAllowed, LearningError) as refusal:
        return _failed(refusal)
    account = publication.account
    # Until `publish`, nothing was sent, whatever goes wrong.
    try:
        poster = poster_of(account)
        is_marked = poster.is_marked()
    except LoggedOut as error:
        return _account_waits(publication, Account.State.LOGGED_OUT, error.said)
    except Later as error:
        return _pause(publication, error)
    except NetworkError as error:
        return _waiting(publication, error.said)
    if not is_marked:
        said = Sentence(
            mark("%(handle)s isn’t marked as a bot any more, so nothing is sent. Mark it, then it goes on."),
            handle=account.handle,
        )
        return _account_waits(publication, Account.State.UNMARKED, said)
    # Somebody may have stopped it since it was claimed.
    if not _working_accounts().filter(pk=account.pk).exists():
        return {"state": _State.WAITING, "next_at": None, **_untried(publication)}
    if not _renewed(publication):
        return {}
    try:
        return _posted(poster.publish(outgoing(publication)))
    except LoggedOut as error:
        return _account_waits(publication, Account.State.LOGGED_OUT, error.said)
    except Later as error:
        return _pause(publication, error)
    except NotAccepted as error:
        return _failed(error.said)
    except Unclear as error:
        return _unclear(publication, error.said)


def _asked(publication: Publication) -> dict[str, Any]:
    """Ask the network whether it has the post, without sending anything; return what to write into the row."""
    try:
        found = poster_of(publication.account).find(outgoing(publication))
    except LoggedOut as error:
        note_trouble(publication.account, Account.State.LOGGED_OUT, error.said)
        return _unclear(publication, error.said)
    except Later as error:
        return {**_unclear(publication, error.said), "next_at": error.at}
    except NetworkError as error:
        return _unclear(publication, error.said)
    now = timezone.now()
    if found is not None:
        return _posted(found)
    settles = _SETTLED if _is_late(publication, now) else publication.account.kind.settles
    if publication.tried_at is not None and now - publication.tried_at < settles:
        return {"state": _State.UNKNOWN, "next_at": publication.tried_at + settles}
    if _is_late(publication, now):
        said = mark("No answer came when it was sent, and we can’t find it there. It’s too late to send it now.")
        return {"state": _State.MISSED, "next_at": None, **_said(said)}
    # The same key and text, so that it's published once even if the first try still arrives.
    return {"state": _State.WAITING, "next_at": None}


def _recalled(publication: Publication) -> dict[str, Any]:
    try:
        poster_of(publication.account).delete(publication.remote_id)
    except LoggedOut as error:
        note_trouble(publication.account, Account.State.LOGGED_OUT, error.said)
        return {"next_at": timezone.now() + _pause_of(publication), **_said(error.said)}
    except Later as error:
        return {"next_at": error.at, **_said(error.said)}
    except NetworkError as error:
        return {"next_at": timezone.now() + _pause_of(publication), **_said(error.said)}
    return {"state": _State.RECALLED, "next_at": None, "error": "", "error_words": {}}


def outgoing(publication: Publication) -> Outgoing:
    """Return the post as networks get it: the same at each try."""
    assert publication.began_at is not None, "a post that was claimed has a beginning"
    others = Publication.objects.filter(account=publication.account).exclude(pk=publication.pk).exclude(remote_id="")
    return Outgoing(
        key=publication.key,
        text=publication.text,
        began_at=publication.began_at,
        language=labels.language_of(publication.proposal.queue.model),
        known=frozenset(others.order_by("-posted_at").values_list("remote_id", flat=True)[:200]),
        model=publication.proposal.queue.model.name,
    )


def client() -> net.Client:
    """Return the client for networks. It reaches the public internet and PRIVATE_SERVERS only."""
    return net.Client(PATIENCE, trusted=settings.PRIVATE_SERVERS)


def poster_of(account: Account | FormerAccount) -> Poster:
    """Return the connected account. Raises LoggedOut if its credentials can't be read any more."""
    try:
        secret = credentials.opened(account.credentials) if account.credentials else {}
    except credentials.CredentialsLost:
        said = mark("The SECRET_KEY of this installation has changed, so the credentials are lost. Connect it again.")
        raise LoggedOut(said) from None
    if account.kind.needs_account and not secret:
        raise LoggedOut(mark("This account is disconnected. Connect it again."))

    def keep(changed: Mapping[str, str]) -> None:
        sealed = credentials.sealed(changed)
        # Unless the account was connected anew meanwhile.
        if type(account).objects.filter(pk=account.pk, credentials=account.credentials).update(credentials=sealed):
            account.credentials = sealed

    app = apps.of_operator(account.kind)
    return account.kind.open(Access(client(), account.remote_id, account.handle, secret, keep, app))


def note_trouble(account: Account, state: Account.State, said: str) -> None:
    """Say once that nothing can be sent by this account, by mail too. What waits there waits."""
    now = timezone.now()
    Account.objects.filter(pk=account.pk, state=Account.State.CONNECTED, credentials=account.credentials).update(
        state=state, trouble=str(said), trouble_words=stored(said), troubled_at=now, mail_due_at=now
    )


def _account_waits(publication: Publication, state: Account.State, said: str) -> dict[str, Any]:
    note_trouble(publication.account, state, said)
    return {"state": _State.WAITING, "next_at": None, **_untried(publication), **_said(said)}


def _pause(publication: Publication, error: Later) -> dict[str, Any]:
    Account.objects.filter(pk=publication.account_id).update(not_before=error.at)
    return {"state": _State.WAITING, "next_at": error.at, **_untried(publication), **_said(error.said)}


def _waiting(publication: Publication, said: str) -> dict[str, Any]:
    pause = _pause_of(publication)
    return {"state": _State.WAITING, "next_at": timezone.now() + pause, **_untried(publication), **_said(said)}


def _untried(publication: Publication) -> dict[str, Any]:
    """Return what makes it untried again, if this was the first try: it certainly wasn't sent, so it can be planned."""
    return {"began_at": None, "text": ""} if publication.began_at == publication.tried_at else {}


def _unclear(publication: Publication, said: str) -> dict[str, Any]:
    if publication.state == _State.RECALLING:
        return {"next_at": timezone.now() + _pause_of(publication), **_said(said)}
    return {"state": _State.UNKNOWN, "next_at": timezone.now() + _pause_of(publication), **_said(said)}


def _failed(said: object) -> dict[str, Any]:
    return {"state": _State.FAILED, "next_at": None, **_said(said)}


def _posted(published: Published) -> dict[str, Any]:
    return {
        "state": _State.POSTED,
        "next_at": None,
        "remote_id": published.remote_id,
        "address": published.address[:2000],
        "posted_at": timezone.now(),
        "error": "",
        "error_words": {},
    }


def _said(said: object) -> dict[str, Any]:
    return {"error": str(said), "error_words": stored(said)}


def _pause_of(publication: Publication) -> timedelta:
    pause = _PAUSES[min(publication.attempts - 1, len(_PAUSES) - 1)]
    return pause if _is_late(publication, timezone.now()) else min(pause, _LONGEST_IN_TIME)


def _is_late(publication: Publication, now: datetime) -> bool:
    due = publication.due
    return due is None or due < now - LATEST


def _working_accounts() -> QuerySet[Account]:
    """Return the accounts where posts may be sent now."""
    now = timezone.now()
    rows = Account.objects.filter(stops.goes("queue__"), state=Account.State.CONNECTED)
    return rows.filter(Q(not_before=None) | Q(not_before__lte=now))


def _ready() -> Iterator[Publication]:
    """Yield what waits for its time at an account that works. One that asks for a pause works."""
    now = timezone.now()
    rows = Publication.objects.filter(state=_State.WAITING, account__state=Account.State.CONNECTED)
    rows = rows.filter(stops.goes("account__queue__"))
    # A wall is up to so far ahead of UTC. The moment itself is worked out from the zone.
    soon = Q(again_at__lte=now) | Q(proposal__wall__lte=now + wall_times.FARTHEST)
    yield from rows.filter(soon).select_related(*_WITH).order_by("proposal__wall", "created_at", "pk")


def _due() -> Iterator[Publication]:
    """Yield what can be done now, questions and recalls first."""
    now = timezone.now()
    busy = Publication.objects.exclude(sender="").filter(next_at__gt=now)
    asking = Publication.objects.filter(state__in=_ASKING, next_at__lte=now).exclude(account__in=busy.values("account"))
    # Without credentials there is nobody to ask. A feed has none, and answers without.
    can_answer = asking.filter(
        Q(account__state__in=(Account.State.CONNECTED, Account.State.UNMARKED))
        & (Q(account__not_before=None) | Q(account__not_before__lte=now))
    )
    yield from can_answer.select_related(*_WITH).order_by("next_at")
    accounts = set(_working_accounts().exclude(pk__in=busy.values("account")).values_list("pk", flat=True))
    for row in _ready():
        if row.account_id not in accounts or (row.next_at is not None and row.next_at > now):
            continue
        if row.due is None or not now - LATEST <= row.due <= now:
            continue
        if not _is_quiet(row.proposal.queue, now) or row.again_at is not None:
            yield row


def _is_quiet(queue: Queue, now: datetime) -> bool:
    return queue.hours.is_quiet(wall_times.wall_of(now, queue.zone).time())


def resume(queue: Queue) -> None:
    """Plan what has waited anew, for an account that works again. Call it where the queue is held."""
    if not queue.is_stopped:
        planning.plan(queue, anew=True)
    transaction.on_commit(ring)
