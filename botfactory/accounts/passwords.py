"""Links by which people whose password is forgotten set another: by mail from allauth, or made by the administrator."""

from __future__ import annotations

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse

from botfactory.accounts import security_log
from botfactory.accounts.models import User


def reset_path(user: User, *, by: User | None = None) -> str:
    """The path of a page on which whoever has it sets the person's password: once, within three days.

    Who makes it knows whom they give it to, so the addresses of the person need no mail to confirm them any more.
    """
    EmailAddress.objects.filter(user=user).update(verified=True)
    security_log.record(security_log.Action.RESET_LINK_MADE, who=user, by=by)
    where = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    path: str = reverse("account_reset_password_from_key", kwargs=where)
    return path
