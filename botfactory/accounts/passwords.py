"""Links to set a new password, which the administrator creates. Those by mail come from allauth."""

from __future__ import annotations

from typing import Final

from allauth.account.forms import EmailAwarePasswordResetTokenGenerator, default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse

from botfactory.accounts import security_log
from botfactory.accounts.models import User


class _HandedOver(EmailAwarePasswordResetTokenGenerator):  # type: ignore[misc]
    """Makes the keys of links that the administrator hands over. They differ from those that are mailed."""

    key_salt = "botfactory.accounts.passwords"


class LinkKeys:
    """Check keys of both kinds, as allauth's form expects it."""

    def check_token(self, user: User, key: str) -> bool:
        return is_handed_over(user, key) or bool(default_token_generator.check_token(user, key))


_HANDED_OVER: Final = _HandedOver()


def reset_path(user: User, *, by: User | None = None) -> str:
    """Return the path of a page that sets the person's password. It works once, within three days.

    The administrator knows who gets the link, so using it also confirms the person's main address.
    """
    security_log.record(security_log.Action.RESET_LINK_MADE, who=user, by=by)
    where = {"uidb36": user_pk_to_url_str(user), "key": _HANDED_OVER.make_token(user)}
    path: str = reverse("account_reset_password_from_key", kwargs=where)
    return path


def is_handed_over(user: User, key: str) -> bool:
    """Return whether the key is from a link of the administrator, and still works."""
    return bool(_HANDED_OVER.check_token(user, key))
