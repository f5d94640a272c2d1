"""How often a password may be tried: for an account from one address, from one address at all, for an account at all.

The first two lock for minutes (`login_failed` of ACCOUNT_RATE_LIMITS, by allauth). The last only slows, and not at an
address from which the person has signed in before: else whoever knows a name could keep its owner out.
"""

from __future__ import annotations

from typing import Any, Final

from allauth.account.utils import filter_users_by_email, filter_users_by_username
from allauth.core import ratelimit
from django.http import HttpRequest

from botfactory.accounts import security_log
from botfactory.accounts.addresses import address_of, place_of
from botfactory.accounts.models import User

#: Actions of ACCOUNT_RATE_LIMITS beside allauth's own.
FAILED_ANYWHERE: Final = "login_failed_anywhere"
SLOWED: Final = "login_slowed"


def account_of(credentials: dict[str, Any]) -> User | None:
    """Whose password is tried: by their name, else by their email address; None where nobody has it."""
    name, email = credentials.get("username") or "", credentials.get("email") or ""
    found: User | None = filter_users_by_username(name).first() if name else None
    if found is None and (email or name):
        found = next(iter(filter_users_by_email(email or name, prefer_verified=True)), None)
    return found


def key_of(credentials: dict[str, Any]) -> str:
    """The account, whether its name or its email address was typed."""
    account = account_of(credentials)
    typed = credentials.get("email") or credentials.get("username") or ""
    return f"account {account.pk}" if account else f"nobody {str(typed).lower()}"


def key_here(request: HttpRequest, credentials: dict[str, Any]) -> str:
    """The account, and the address from which it is tried."""
    return f"{key_of(credentials)} from {place_of(address_of(request))}"


def is_too_soon(request: HttpRequest, credentials: dict[str, Any]) -> bool:
    """Whether so many others have tried this account that strangers to it have to wait for their turn."""
    key = key_of(credentials)
    if ratelimit.consume(request, action=FAILED_ANYWHERE, key=key, dry_run=True):
        return False
    account = account_of(credentials)
    if account is not None and security_log.is_known_place(account, address_of(request)):
        return False
    return not ratelimit.consume(request, action=SLOWED, key=key)


def note_failure(request: HttpRequest, credentials: dict[str, Any]) -> None:
    ratelimit.consume(request, action=FAILED_ANYWHERE, key=key_of(credentials))
