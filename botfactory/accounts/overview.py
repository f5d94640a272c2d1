"""What a person sees of their account at a glance, in few queries."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db.models import Count

from botfactory.accounts import limits, sessions, tokens
from botfactory.accounts.models import Notifications, User


@dataclass(frozen=True, slots=True)
class Overview:
    """`address`: the main one, if any; `mail_to`: where mails go, "" before an address is confirmed."""

    address: EmailAddress | None
    mail_to: str
    has_two_factor: bool
    codes_left: int
    sessions: int
    tokens: int
    webhooks: int
    notifications: Notifications
    gauges: list[limits.Gauge]


def overview_for_user(user: User) -> Overview:
    """Return the overview of this person's own account."""
    authenticators = list(Authenticator.objects.filter(user=user))
    codes = next((each for each in authenticators if each.type == Authenticator.Type.RECOVERY_CODES), None)
    address = EmailAddress.objects.filter(user=user).order_by("-primary").first()
    usage = limits.usage_of(user)
    living = tokens.tokens_for_user(user).order_by().values("owner").annotate(number=Count("pk")).values("number")
    person = User.objects.select_related("limits", "notifications").annotate(tokens=living).get(pk=user.pk)
    return Overview(
        address=address,
        mail_to=address.email if address is not None and address.primary and address.verified else "",
        has_two_factor=bool(authenticators),
        codes_left=len(codes.wrap().get_unused_codes()) if codes else 0,
        sessions=len(sessions.sessions_of(user)),
        tokens=person.tokens or 0,
        webhooks=usage.webhooks,
        notifications=getattr(person, "notifications", None) or Notifications(user=user),
        gauges=limits.gauges(limits.limits_in([person])[person.pk], usage),
    )
