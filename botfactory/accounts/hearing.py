"""Write sign-ins, passwords and second factors to the security log, from the signals of Django and allauth.

The signals arrive from every page and command, so the log misses nothing. We send no signals ourselves. Failed
sign-ins come from the adapter, which tells a wrong password from a deactivated account.
"""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth import signals as auth_signals
from django.dispatch import Signal
from django.http import HttpRequest

from botfactory.accounts import security_log
from botfactory.accounts.models import User
from botfactory.accounts.security_log import Action

#: Signals about a person that need no other handling than an entry.
_TOLD: dict[Signal, Action] = {
    auth_signals.user_logged_in: Action.SIGNED_IN,
    account_signals.password_changed: Action.PASSWORD_CHANGED,
    account_signals.password_set: Action.PASSWORD_CHANGED,
    account_signals.password_reset: Action.PASSWORD_RESET,
    account_signals.email_added: Action.ADDRESS_CHANGED,
    account_signals.email_changed: Action.ADDRESS_CHANGED,
    account_signals.email_removed: Action.ADDRESS_CHANGED,
}
_CODES = Authenticator.Type.RECOVERY_CODES


def begin() -> None:
    """Connect the signals. Called in AppConfig.ready."""
    for signal, action in _TOLD.items():
        signal.connect(_hear(action), weak=False, dispatch_uid=f"security log: {action}")
    mfa_signals.authentication_failed.connect(_code_failed)
    mfa_signals.authenticator_added.connect(_factor_added)
    mfa_signals.authenticator_removed.connect(_factor_removed)
    mfa_signals.authenticator_reset.connect(_codes_made)


def _hear(action: Action) -> Any:
    def heard(sender: Any, user: User, request: HttpRequest | None = None, **kwargs: Any) -> None:
        security_log.record(action, who=user, request=request)

    return heard


def _code_failed(sender: Any, user: User, request: HttpRequest | None = None, **kwargs: Any) -> None:
    security_log.record_failure(Action.CODE_FAILED, who=user, request=request)


def _factor_added(sender: Any, user: User, request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    action = Action.CODES_MADE if authenticator.type == _CODES else Action.TWO_FACTOR_ON
    security_log.record(action, who=user, request=request)


def _factor_removed(sender: Any, user: User, request: HttpRequest, authenticator: Authenticator, **kwargs: Any) -> None:
    # The recovery codes are removed with the last factor, which is logged already.
    if authenticator.type != _CODES:
        security_log.record(Action.TWO_FACTOR_OFF, who=user, request=request)


def _codes_made(sender: Any, user: User, request: HttpRequest, **kwargs: Any) -> None:
    security_log.record(Action.CODES_MADE, who=user, request=request)
