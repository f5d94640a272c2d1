"""Accounts that are read live. Requests within a minute share one read, so no server gets too many from us.

Only public things are kept: texts of posts, or why there are none. They are in the cache that all web processes share,
or in this process's own while the broker can't be reached.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from tweets.sources import base
from tweets.sources.base import RateLimited, SourceError, SourceUnavailable
from tweets.sources.kinds import Account
from tweets.sources.registry import network_of

#: How long requests share a read.
FRESH_SECONDS: Final = 60
#: Posts that cost money are shared for longer.
BOUGHT_SECONDS: Final = 15 * 60
#: How long requests share an error, by its class. Other errors, such as a spent budget, concern one person or the
#: operator.
ERROR_SECONDS: Final[dict[type[SourceError], int]] = {
    base.UnknownHandle: 60,
    base.SuspendedHandle: 60,
    base.ProtectedHandle: 60,
    base.RefusedAddress: 60,
    base.UnknownServer: 15,
    base.BadAnswer: 15,
    base.SourceUnavailable: 15,
}
#: If a server asks for a longer pause, it is read again after this one.
LONGEST_PAUSE: Final = 3600
#: How long a request waits for another one's read, and how long the claim of a process that died blocks others.
WAIT_SECONDS: Final = 25.0
CLAIM_SECONDS: Final = 60
_LOOK: Final = 0.05


def shared(account: Account, most: int, read: Callable[[], list[str]]) -> list[str]:
    """Return what `read` returned a moment ago for this account and number of posts, else what it returns now.

    Of several requests at once, one reads and the others wait for it. Raises the SourceError of the read. If the server
    has asked for a pause, that is RateLimited for every account on it.
    """
    key = _key(account, most)
    deadline = time.monotonic() + WAIT_SECONDS
    me = uuid.uuid4().hex
    while True:
        if (kept := cache.get(key)) is not None:
            return _given(kept)
        require_no_pause(account)
        if cache.add(f"{key}:claim", me, CLAIM_SECONDS):
            break
        if time.monotonic() > deadline:
            raise SourceUnavailable(_("Reading this account is taking a while. Ask again in a minute."))
        time.sleep(_LOOK)
    try:
        # Another request may have finished since the first look.
        if (kept := cache.get(key)) is not None:
            return _given(kept)
        return _read(key, account, read)
    finally:
        if cache.get(f"{key}:claim") == me:
            cache.delete(f"{key}:claim")


def _read(key: str, account: Account, read: Callable[[], list[str]]) -> list[str]:
    try:
        texts = read()
    except RateLimited as error:
        pause(account, error)
        raise
    except SourceError as error:
        if type(error) in ERROR_SECONDS:
            cache.set(key, {"error": error.code, "message": error.message}, ERROR_SECONDS[type(error)])
        raise
    cache.set(key, {"texts": texts}, BOUGHT_SECONDS if network_of(account.network).is_paid else FRESH_SECONDS)
    return texts


def pause(account: Account, error: RateLimited) -> None:
    """Let nobody read from the account's server before the time that it named."""
    seconds = min(LONGEST_PAUSE, (error.retry_at - timezone.now()).total_seconds())
    if seconds > 0:
        kept = {"message": error.message, "retry_at": error.retry_at.isoformat()}
        cache.set(_pause_key(account), kept, seconds)


def require_no_pause(account: Account) -> None:
    """Return if the account's server may be read; raise RateLimited if not."""
    if (kept := cache.get(_pause_key(account))) is not None:
        raise RateLimited(kept["message"], datetime.fromisoformat(kept["retry_at"]))


def _given(kept: dict[str, Any]) -> list[str]:
    if "error" in kept:
        raise next(kind for kind in ERROR_SECONDS if kind.code == kept["error"])(kept["message"])
    texts: list[str] = kept["texts"]
    return texts


def _key(account: Account, most: int) -> str:
    # A digest, because handles can be long and contain any characters.
    named = f"{account.network} {account.handle.lower()} {most}"
    return f"live:{hashlib.sha256(named.encode()).hexdigest()}"


def _pause_key(account: Account) -> str:
    server = network_of(account.network).server_of(account.handle)
    return f"live:pause:{account.network}:{hashlib.sha256(server.encode()).hexdigest()}"
