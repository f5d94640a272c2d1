"""Sign-up: open to everybody, to people with an invitation, or to nobody. The first person always can."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.accounts.models import HouseRules, Invitation, User
from botfactory.accounts.rules import house_rules
from botfactory.words.translation import grouped

#: The parameter in the address of the sign-up page.
PARAMETER: Final = "invitation"
MAX_USES: Final = 10_000
_LONGEST: Final = 100

#: The reason why somebody can't sign up -> the sentence that they read.
SENTENCES: Final = {
    "closed": gettext_lazy("This Bot Factory doesn’t accept new accounts. Ask its administrator."),
    "invitation_needed": gettext_lazy("You need an invitation to sign up. Ask the administrator for a link."),
    "invitation_unknown": gettext_lazy(
        "We don’t know this invitation. Check that you copied the whole link, or ask for another one."
    ),
    "invitation_revoked": gettext_lazy("This invitation was withdrawn. Ask the person who gave it to you for another."),
    "invitation_expired": gettext_lazy("This invitation has expired. Ask for another one."),
    "invitation_used": gettext_lazy("This invitation has already been used. Ask for another one."),
}
#: What `standing` returns -> how the administration shows it.
STANDINGS: Final = {
    "open": gettext_lazy("open"),
    "revoked": gettext_lazy("revoked"),
    "expired": gettext_lazy("expired"),
    "used": gettext_lazy("used"),
}


class SignupRefused(Exception):
    """A sentence for the person, and a `code` for programs."""

    def __init__(self, code: str) -> None:
        super().__init__(SENTENCES[code])
        self.code = code


class BadInvitation(Exception):
    code = "bad_invitation"


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation with the secret `text` of its link, which is only known now. The repr leaves it out."""

    invitation: Invitation
    text: str = field(repr=False)


def require_way_in(text: str) -> None:
    """Raise SignupRefused unless somebody with this invitation, or with none (""), can sign up."""
    rules = house_rules()
    if rules.is_signup_open:
        return
    if rules.signup_mode == HouseRules.Signup.CLOSED:
        raise SignupRefused("closed")
    if not text:
        raise SignupRefused("invitation_needed")
    invitation = _find(text)
    if invitation is None:
        raise SignupRefused("invitation_unknown")
    if (why := standing(invitation)) != "open":
        raise SignupRefused(f"invitation_{why}")


def standing(invitation: Invitation) -> str:
    """Return `open`, `revoked`, `expired` or `used`."""
    if invitation.revoked_at is not None:
        return "revoked"
    if invitation.expires_at is not None and invitation.expires_at <= timezone.now():
        return "expired"
    return "used" if invitation.used >= invitation.uses else "open"


def claim(text: str) -> Invitation | None:
    """Take one use of the invitation, if one is needed. Raises SignupRefused if none is left.

    Call it in the transaction that creates the account. If two people want the last use at once, one is refused.
    """
    require_way_in(text)
    if house_rules().is_signup_open:
        return None
    unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    free = Invitation.objects.filter(unexpired, digest=_digest(text), revoked_at=None, used__lt=F("uses"))
    if not free.update(used=F("used") + 1):
        raise SignupRefused("invitation_used")
    return Invitation.objects.get(digest=_digest(text))


def invite(*, by: User | None, note: str = "", uses: int = 1, expires_at: datetime | None = None) -> NewInvitation:
    """Create an invitation. Raises BadInvitation for an invalid number or date."""
    if not 1 <= uses <= MAX_USES:
        raise BadInvitation(_("An invitation is for 1 to %(most)s people.") % {"most": grouped(MAX_USES)})
    if expires_at is not None and expires_at <= timezone.now():
        raise BadInvitation(_("An invitation must expire in the future. Choose a later time, or none."))
    text = secrets.token_urlsafe(24)
    invitation = Invitation.objects.create(
        digest=_digest(text), by=by, note=note.strip()[:200], uses=uses, expires_at=expires_at
    )
    return NewInvitation(invitation, text)


def path_of(new: NewInvitation) -> str:
    """Return the path of the link, without the address of this installation."""
    return f"{reverse('account_signup')}?{urlencode({PARAMETER: new.text})}"


def revoke(invitation: Invitation) -> Invitation:
    """Revoke the invitation. People who signed up with it stay."""
    Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=timezone.now())
    invitation.refresh_from_db()
    return invitation


def _find(text: str) -> Invitation | None:
    return Invitation.objects.filter(digest=_digest(text)).first() if len(text) <= _LONGEST else None


def _digest(text: str) -> str:
    """Return the digest, keyed with SECRET_KEY, which isn't in the database. The text is random: one round does."""
    return salted_hmac("botfactory.accounts.signup", text, algorithm="sha256").hexdigest()
