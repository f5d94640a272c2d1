"""Limits on wrong passwords: per account and address, per address, and per account.

allauth enforces the first two, which lock for minutes (`login_failed` in ACCOUNT_RATE_LIMITS). The third only slows
attempts down, and doesn't apply to an address from which the person has signed in before. Otherwise, anyone who knows
a name could lock its owner out.
"""

from __future__ import annotations

from typing import Any, Final

from allauth.account.utils import filter_users_by_email, filter_users_by_username
from allauth.core import ratelimit
from django.http import HttpRequest

from botfactory.accounts import security_log
from botfactory.accounts.addresses import address_of, place_of
from botfactory.accounts.models import User

#: Actions that we add to those of allauth in ACCOUNT_RATE_LIMITS.
FAILED_ANYWHERE: Final = "login_failed_anywhere"
SLOWED: Final = "login_slowed"


def account_of(credentials: dict[str, Any]) -> User | None:
    """Return the account with this name or else this email address, or None if there is none."""
    name, email = credentials.get("username") or "", credentials.get("email") or ""
    found: User | None = filter_users_by_username(name).first() if name else None
    if found is None and (email or name):
        found = next(iter(filter_users_by_email(email or name, prefer_verified=True)), None)
    return found


def key_of(credentials: dict[str, Any]) -> str:
    """Return the same key for an account whether its name or its email address was typed."""
    account = account_of(credentials)
    typed = credentials.get("email") or credentials.get("username") or ""
    return f"account {account.pk}" if account else f"nobody {str(typed).lower()}"


def key_here(request: HttpRequest, credentials: dict[str, Any]) -> str:
    """Return the key of the account together with the address of the request."""
    return f"{key_of(credentials)} from {place_of(address_of(request))}"


def is_too_soon(request: HttpRequest, credentials: dict[str, Any]) -> bool:
    """Return whether this attempt has to wait: the account has many failures, and this address isn't its own."""
    key = key_of(credentials)
    if ratelimit.consume(request, action=FAILED_ANYWHERE, key=key, dry_run=True):
        return False
    account = account_of(credentials)
    if account is not None and security_log.is_known_place(account, address_of(request)):
        return False
    return not ratelimit.consume(request, action=SLOWED, key=key)


def note_failure(request: HttpRequest, credentials: dict[str, Any]) -> None:
    ratelimit.consume(request, action=FAILED_ANYWHERE, key=key_of(credentials))
