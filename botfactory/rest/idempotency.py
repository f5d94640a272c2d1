"""The header Idempotency-Key: a request that is sent twice does its work once and gets the same answer twice.

A key counts for one person and 24 hours. Only answers of success are kept: a refused request has changed nothing, so it
can be sent again.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Final, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.files.chunks import batches
from botfactory.rest.errors import ApiError
from botfactory.rest.models import AnswerSubject, KeptAnswer

HEADER: Final = "Idempotency-Key"
#: The header of an answer that was kept. Its value is true.
REPLAYED: Final = "Idempotency-Replayed"
KEPT_FOR = timedelta(hours=24)
#: A process that claimed a key longer ago and hasn't answered is presumed dead.
DEAD_AFTER = timedelta(minutes=10)
_NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SANE = re.compile(r"[\x21-\x7e]{1,255}")

View = TypeVar("View", bound=Callable[..., Any])


def slow(view: View) -> View:
    """Mark an operation that takes seconds: its work isn't one transaction. Put it below the router's decorator.

    If the process dies between the work and its answer, the same key may do the work twice.
    """
    view.is_slow = True  # type: ignore[attr-defined]
    return view


def secret(view: View) -> View:
    """Mark an operation whose answer holds a secret, so that it isn't kept. Put it below the router's decorator."""
    view.is_secret = True  # type: ignore[attr-defined]
    return view


def answer_once(
    request: HttpRequest,
    user: User,
    work: Callable[[], HttpResponseBase],
    *,
    in_one_transaction: bool = True,
    is_secret: bool = False,
) -> HttpResponseBase:
    """Return the answer of `work`, or the kept one if the same key did the work before.

    With `in_one_transaction`, the work and its kept answer are committed together or not at all; an error commits
    nothing. ApiError 422 for the key of another request, 409 for one that is still being answered.
    """
    key = request.headers[HEADER]
    if not _SANE.fullmatch(key):
        message = _("The header %(header)s must have 1 to 255 ASCII characters without spaces. Use a UUID.") % {
            "header": HEADER
        }
        raise ApiError(422, "bad_idempotency_key", message, param=HEADER)
    digest, claim = _digest(request), uuid.uuid4()
    kept = _claim(user, key, digest, claim)
    if kept is not None:
        return _replay(kept, digest)
    mine = KeptAnswer.objects.filter(owner=user, key=key, claim=claim)
    try:
        with transaction.atomic() if in_one_transaction else nullcontext():
            answer = work()
            if isinstance(answer, HttpResponse) and 200 <= answer.status_code < 300:
                text = "" if is_secret else answer.content.decode()
                if not _keep(mine, answer.status_code, text) and in_one_transaction:
                    raise _busy()
                return answer
            if in_one_transaction and answer.status_code >= 400:
                transaction.set_rollback(True)
    except BaseException:
        mine.delete()
        raise
    mine.delete()
    return answer


def forget_old() -> None:
    """Delete the answers whose keys no longer count."""
    KeptAnswer.objects.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()


def forget(*numbers: uuid.UUID) -> None:
    """Empty the kept answers about things that are being deleted, by their ids. Their keys still count.

    Call it in the transaction that deletes the things.
    """
    for some in batches(numbers):
        KeptAnswer.objects.filter(subjects__number__in=some).update(body="")


def _keep(claimed: QuerySet[KeptAnswer], status: int, body: str) -> bool:
    """Store the answer with the ids of what it is about; return False if somebody else has the key now."""
    with transaction.atomic():
        if not claimed.update(status=status, body=body):
            return False
        answer, numbers = claimed.get(), sorted(set(_NUMBER.findall(body)))
        AnswerSubject.objects.bulk_create([AnswerSubject(answer=answer, number=number) for number in numbers])
    return True


def _claim(user: User, key: str, digest: str, claim: uuid.UUID) -> KeptAnswer | None:
    """Claim the key and return None, or return the row of whoever has claimed it."""
    now = timezone.now()
    forget_old()
    try:
        with transaction.atomic():
            KeptAnswer.objects.create(owner=user, key=key, digest=digest, claim=claim, claimed_at=now, created_at=now)
        return None
    except IntegrityError:
        pass
    row = KeptAnswer.objects.filter(owner=user, key=key).first()
    if row is None:
        # It was released a moment ago, so nothing was done.
        raise _busy()
    dead = KeptAnswer.objects.filter(
        pk=row.pk, status=None, digest=digest, claim=row.claim, claimed_at__lte=now - DEAD_AFTER
    )
    return None if dead.update(claim=claim, claimed_at=now) else row


def _replay(kept: KeptAnswer, digest: str) -> HttpResponse:
    if kept.digest != digest:
        message = _(
            "This %(header)s was used for another request within the last 24 hours. Use a new one for each request."
        ) % {"header": HEADER}
        raise ApiError(422, "idempotency_key_reused", message, param=HEADER)
    if kept.status is None:
        raise _busy()
    if not kept.body and kept.status != 204:
        message = _(
            "This was already done, but its answer isn’t kept: it had a secret that is shown only once, or what it was "
            "about is deleted. To do it again, send another %(header)s."
        ) % {"header": HEADER}
        raise ApiError(409, "answer_not_kept", message, param=HEADER)
    return HttpResponse(
        kept.body, status=kept.status, content_type="application/json; charset=utf-8", headers={REPLAYED: "true"}
    )


def _busy() -> ApiError:
    message = _("A request with this %(header)s is still being answered. Send it again in a second.") % {
        "header": HEADER
    }
    return ApiError(409, "idempotency_in_progress", message, param=HEADER, headers={"Retry-After": "1"})


def _digest(request: HttpRequest) -> str:
    """Return a digest of the request; of a form, its fields and files, since each request has another boundary."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type != "multipart/form-data":
        digest.update(request.body)
        return digest.hexdigest()
    for name, values in sorted(request.POST.lists()):
        digest.update(repr((name, values)).encode())
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            digest.update(repr((name, file.name, file.size)).encode())
            for chunk in file.chunks():
                digest.update(chunk)
            file.seek(0)
    return digest.hexdigest()
