"""Who may sign up: everybody, who has an invitation, or nobody; the very first person in any case."""

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

from botfactory.accounts.models import HouseRules, Invitation, User
from botfactory.accounts.rules import house_rules

#: In the address of the sign-up page.
PARAMETER: Final = "invitation"
MAX_USES: Final = 10_000
_LONGEST: Final = 100

#: Why somebody cannot sign up -> what they are told.
SENTENCES: Final = {
    "closed": "Nobody can sign up here now. Ask the administrator of this Bot Factory.",
    "invitation_needed": "Here one signs up by invitation: ask the administrator for a link.",
    "invitation_unknown": "This link is not one of ours: check that all of it is in the address, or ask for another.",
    "invitation_revoked": "This invitation was taken back. Ask whoever gave it to you for another.",
    "invitation_expired": "This invitation is no longer valid: it had a last day. Ask for another.",
    "invitation_used": "This invitation has been used by as many people as it was for. Ask for another.",
}


class SignupRefused(Exception):
    """A sentence for the person; `code` for programs."""

    def __init__(self, code: str) -> None:
        super().__init__(SENTENCES[code])
        self.code = code


class BadInvitation(Exception):
    code = "bad_invitation"


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """`text` goes into the link. It is known now and never again, hence kept out of the repr."""

    invitation: Invitation
    text: str = field(repr=False)


def require_way_in(text: str) -> None:
    """Returns where somebody who shows this invitation, or none (""), may sign up; SignupRefused otherwise."""
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
    """`open`, `revoked`, `expired` or `used`."""
    if invitation.revoked_at is not None:
        return "revoked"
    if invitation.expires_at is not None and invitation.expires_at <= timezone.now():
        return "expired"
    return "used" if invitation.used >= invitation.uses else "open"


def claim(text: str) -> Invitation | None:
    """One use of the invitation is taken, where one is needed; SignupRefused where none is left.

    To be called in the transaction that makes the account: of two at once who want the last use one is refused.
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
    """There is one more invitation; BadInvitation for numbers and dates that do not do."""
    if not 1 <= uses <= MAX_USES:
        raise BadInvitation(f"An invitation is for 1 to {MAX_USES:,} people.")
    if expires_at is not None and expires_at <= timezone.now():
        raise BadInvitation("An invitation has to end in the future: choose a later time, or none.")
    text = secrets.token_urlsafe(24)
    invitation = Invitation.objects.create(
        digest=_digest(text), by=by, note=note.strip()[:200], uses=uses, expires_at=expires_at
    )
    return NewInvitation(invitation, text)


def path_of(new: NewInvitation) -> str:
    """The path of the link, for behind the address of this installation."""
    return f"{reverse('account_signup')}?{urlencode({PARAMETER: new.text})}"


def revoke(invitation: Invitation) -> Invitation:
    """Nobody signs up with it any more; who has stays."""
    Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=timezone.now())
    invitation.refresh_from_db()
    return invitation


def _find(text: str) -> Invitation | None:
    return Invitation.objects.filter(digest=_digest(text)).first() if len(text) <= _LONGEST else None


def _digest(text: str) -> str:
    """Keyed with SECRET_KEY, of which the database knows nothing. The text is random: one round is enough."""
    return salted_hmac("botfactory.accounts.signup", text, algorithm="sha256").hexdigest()
