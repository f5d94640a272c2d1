"""Two-factor sign-in: who has it, who must set it up, and how to turn it off for somebody who lost their device."""

from __future__ import annotations

from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.utils.translation import gettext_lazy as _

from botfactory.accounts import security_log
from botfactory.accounts.models import User
from botfactory.accounts.rules import house_rules

NEEDED: Final = _("Administrators here need two-factor sign-in. Set it up under /accounts/2fa/.")


def is_missing(user: Any) -> bool:
    """Return whether the house rules keep this administrator out until they set up two-factor sign-in."""
    return bool(user.is_staff or user.is_superuser) and house_rules().administrators_need_two_factor and not has(user)


def has(user: Any) -> bool:
    return bool(is_mfa_enabled(user))


def switch_off(user: User, *, by: User | None = None) -> bool:
    """Let the person sign in with only the password again. Return whether two-factor was on."""
    had = has(user)
    Authenticator.objects.filter(user=user).delete()
    if had:
        security_log.record(security_log.Action.TWO_FACTOR_OFF, who=user, by=by)
    return had
