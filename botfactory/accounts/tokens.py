"""API tokens: created for a program, shown once, revoked. What we store of a token gives no access."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts import locking, security_log, two_factor
from botfactory.accounts.models import ApiToken, User
from botfactory.accounts.security_log import Action

#: The start of each token, so that people and secret scanners recognise it.
MARK = "bf"
#: What a token may do: read what its owner sees, change it, and administer.
Scope = Literal["read", "write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("read", "write")
#: The most tokens of one person, not counting revoked and expired ones.
MAX_TOKENS = 50
LONGEST_NAME = 80
#: How often `last_used_at` is written, because writing it for each request would be too much.
_USED_EVERY = timedelta(minutes=1)
_PREFIX_BYTES = 6
_SECRET_BYTES = 32
_SHAPE = re.compile(rf"{MARK}_([0-9a-f]{{{2 * _PREFIX_BYTES}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})")


class TokenError(Exception):
    """A sentence for the person. Programs get `code`, and in `param` the field that was wrong."""

    code = "token_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class TooManyTokens(TokenError):
    code = "limit_reached"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token with the secret `text` that the program sends, which is only known now. The repr leaves it out."""

    token: ApiToken
    text: str = field(repr=False)


def tokens_for_user(user: Any) -> QuerySet[ApiToken]:
    """Return the tokens that `user` may see: their own ones that aren't revoked."""
    if not user.is_authenticated or not user.is_active:
        return ApiToken.objects.none()
    return ApiToken.objects.filter(owner=user, revoked_at=None)


def token_for_user(user: Any, token_id: uuid.UUID) -> ApiToken:
    """Return the token. Raises ApiToken.DoesNotExist for a stranger's token as for an unknown id."""
    return tokens_for_user(user).get(pk=token_id)


def scopes_for(user: User) -> frozenset[Scope]:
    """Return the scopes that a token of the person can have. Without two-factor, `admin` may be missing."""
    may_administer = user.is_superuser and not two_factor.is_missing(user)
    return frozenset(scope for scope in SCOPES if scope != "admin" or may_administer)


def scopes_of(token: ApiToken) -> frozenset[Scope]:
    """Return the scopes that the token has now. `admin` goes when its owner stops being an administrator."""
    return scopes_for(token.owner) & frozenset(token.scopes)


@transaction.atomic
def create_token(
    *,
    owner: User,
    name: str,
    expires_at: datetime | None = None,
    scopes: Collection[str] = DEFAULT_SCOPES,
    by: ApiToken | None = None,
) -> NewToken:
    """Create a token. Raises TokenError for an invalid name, date or scope, and TooManyTokens above MAX_TOKENS.

    `by` is the token that asks, if one does. It can't create a token with more scopes or a longer life than its own;
    without a date, the new token expires with it.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        message = ngettext(
            "Give the token a name of at most %(most)s character. Say what will use it.",
            "Give the token a name of at most %(most)s characters. Say what will use it.",
            LONGEST_NAME,
        )
        raise TokenError(message % {"most": LONGEST_NAME}, "name")
    if expires_at is not None and expires_at <= timezone.now():
        raise TokenError(_("A token must expire in the future. Choose a later time, or none."), "expires_at")
    if expires_at is not None:
        try:
            expires_at = expires_at.astimezone(UTC)
        except OverflowError:
            message = _("This date is too far in the future. Choose an earlier one, or none.")
            raise TokenError(message, "expires_at") from None
    chosen = [scope for scope in SCOPES if scope in scopes]
    if not chosen or len(chosen) < len(set(scopes)):
        message = _("Choose what the token can do: one or more of %(scopes)s.")
        raise TokenError(message % {"scopes": ", ".join(SCOPES)}, "scopes")
    if "admin" in chosen and not owner.is_superuser:
        raise TokenError(_("Only an administrator’s token can have the scope admin."), "scopes")
    if "admin" in chosen and two_factor.is_missing(owner):
        raise TokenError(f"{two_factor.NEEDED} {_('Then create the token.')}", "scopes")
    if by is not None and not scopes_of(by).issuperset(chosen):
        raise TokenError(_("A token can’t create a token with more scopes than its own."), "scopes")
    if by is not None and by.expires_at is not None:
        expires_at = expires_at or by.expires_at
        if expires_at > by.expires_at:
            message = _("A token can’t create a token that expires later than itself. Choose an earlier time, or none.")
            raise TokenError(message, "expires_at")
    locking.lock(owner.pk)
    if usable(ApiToken.objects.filter(owner=owner)).count() >= MAX_TOKENS:
        message = ngettext(
            "You can have at most %(most)s token. Revoke one that you no longer use.",
            "You can have at most %(most)s tokens. Revoke one that you no longer use.",
            MAX_TOKENS,
        )
        raise TooManyTokens(message % {"most": MAX_TOKENS})
    prefix, secret = secrets.token_hex(_PREFIX_BYTES), secrets.token_hex(_SECRET_BYTES)
    token = ApiToken.objects.create(
        owner=owner,
        name=name,
        prefix=prefix,
        digest=_digest(prefix, secret),
        expires_at=expires_at,
        scopes=chosen,
    )
    security_log.record(Action.TOKEN_MADE, who=owner, token=prefix, name=name, scopes=chosen)
    return NewToken(token, f"{MARK}_{prefix}_{secret}")


def revoke_token(token: ApiToken, *, by: User | None = None) -> ApiToken:
    """Revoke the token; one that is revoked already keeps its time. `by` is the person, unless it's the owner."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        security_log.record(Action.TOKEN_REVOKED, who=token.owner, by=by, token=token.prefix, name=token.name)
    token.refresh_from_db()
    return token


def find_token(text: str) -> ApiToken | None:
    """Return the token, or None if it is unknown, expired or revoked, or if its owner is deactivated."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    prefix, secret = shape.groups()
    token = usable(ApiToken.objects.filter(prefix=prefix)).select_related("owner").first()
    # Computed even for an unknown token, so that the time of the answer gives nothing away.
    matches = constant_time_compare(_digest(prefix, secret), token.digest if token else "")
    if token is None or not matches:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - _USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def bearer_of(authorization: str) -> str | None:
    """Return the text in a header `Authorization: Bearer TEXT`, or None for another scheme or no header.

    Another scheme isn't for us: a proxy in front may ask each browser for its own password (HTTP Basic).
    """
    scheme, _, text = authorization.strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def token_of_header(authorization: str) -> ApiToken | None:
    """Return the token in a header `Authorization: Bearer TOKEN`, or None for anything else."""
    return find_token(bearer_of(authorization) or "")


def user_of_token(text: str) -> User | None:
    """Return the owner of the token, whatever its scopes."""
    token = find_token(text)
    return token.owner if token else None


def usable(tokens: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    """Return those of the tokens that work now."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return tokens.filter(unexpired, revoked_at=None, owner__is_active=True)


def _digest(prefix: str, secret: str) -> str:
    """Return the digest, keyed with SECRET_KEY, which isn't in the database. The secret is random: one round does."""
    return salted_hmac(f"botfactory.accounts.tokens.{prefix}", secret, algorithm="sha256").hexdigest()
