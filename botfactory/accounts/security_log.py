"""The log of what happened to accounts: sign-ins, failures, passwords, tokens, roles, two-factor.

Entries contain names, addresses and numbers, but no password, token or code. They don't contain unknown names either,
because people sometimes type their password into the wrong field. Entries older than KEPT_DAYS or beyond MAX_ENTRIES
are deleted.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final

from allauth.core import context
from django.db.models import F, Q
from django.http import HttpRequest
from django.utils import timezone, translation

from botfactory.accounts import browsers
from botfactory.accounts.addresses import address_of, place_of
from botfactory.accounts.models import SecurityEntry, User

logger = logging.getLogger(__name__)

Action = SecurityEntry.Action

KEPT_DAYS: Final = 365
MAX_ENTRIES: Final = 100_000
#: Failures for one account from one address within this time are counted in one entry.
COUNTED_TOGETHER: Final = timedelta(hours=1)
#: How many days an address counts as an account's own after a sign-in.
_KNOWN_DAYS: Final = 90
_TIDIED_EVERY: Final = 500


def record(
    action: SecurityEntry.Action,
    *,
    who: User | None,
    by: User | None = None,
    request: HttpRequest | None = None,
    **details: Any,
) -> SecurityEntry:
    """Write an entry about the account `who`. `by` is the person who did it, if that is somebody else.

    Without `request`, the address is that of the request being answered, if there is one.
    """
    request = request or context.request
    if request is not None and (agent := request.headers.get("User-Agent")):
        # Stored in English, because its readers may use another language than the person.
        with translation.override("en"):
            details["browser"] = browsers.name_of(agent)
    entry = SecurityEntry.objects.create(
        action=action,
        who=who,
        who_name=who.get_username() if who else "",
        by_name=by.get_username() if by and by != who else "",
        address=address_of(request),
        details=details,
    )
    if entry.pk % _TIDIED_EVERY == 0:
        tidy()
    return entry


def record_failure(action: SecurityEntry.Action, *, who: User | None, request: HttpRequest | None) -> None:
    """Write an entry for a sign-in or a code that failed, or count it in an existing one."""
    request = request or context.request
    address = address_of(request)
    with translation.override("en"):
        failure = str(action.label).lower()
    logger.warning("%s: %s from %s", failure, who or "an unknown account", address or "an unknown address")
    since = timezone.now() - COUNTED_TOGETHER
    same = SecurityEntry.objects.filter(action=action, who=who, address=address, at__gte=since).order_by("-pk").first()
    if same is None:
        record(action, who=who, request=request)
    else:
        SecurityEntry.objects.filter(pk=same.pk).update(times=F("times") + 1)


def is_known_place(user: User, address: str | None) -> bool:
    """Return whether the person has signed in from this address in the last 90 days."""
    since = timezone.now() - timedelta(days=_KNOWN_DAYS)
    sign_ins = SecurityEntry.objects.filter(action=Action.SIGNED_IN, who=user, at__gte=since)
    known = sign_ins.order_by().values_list("address", flat=True).distinct()[:1000]
    place = place_of(address)
    return bool(place) and place in {place_of(found) for found in known}


def tidy() -> int:
    """Delete entries that are too old or too many, and return how many."""
    newest = SecurityEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    old = Q(at__lt=timezone.now() - timedelta(days=KEPT_DAYS)) | Q(pk__lte=newest - MAX_ENTRIES)
    return SecurityEntry.objects.filter(old).delete()[0]
