"""Links to set a new password, which the administrator creates. Those by mail come from allauth."""

from __future__ import annotations

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse

from botfactory.accounts import security_log
from botfactory.accounts.models import User


def reset_path(user: User, *, by: User | None = None) -> str:
    """Return the path of a page that sets the person's password. It works once, within three days.

    The administrator knows who gets the link, so it also confirms the person's addresses without a mail.
    """
    EmailAddress.objects.filter(user=user).update(verified=True)
    security_log.record(security_log.Action.RESET_LINK_MADE, who=user, by=by)
    where = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    path: str = reverse("account_reset_password_from_key", kwargs=where)
    return path
