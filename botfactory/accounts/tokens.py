"""API tokens: made for a program, shown once, revoked. What is stored of one opens nothing."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from botfactory.accounts import security_log, two_factor
from botfactory.accounts.models import ApiToken, User
from botfactory.accounts.security_log import Action

#: In front of each token, so that people and secret scanners see what it is.
MARK = "bf"
#: What a token may: read what its owner sees, change it, and what only administrators may.
Scope = Literal["read", "write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("read", "write")
#: Of one person, revoked and expired ones not counted.
MAX_TOKENS = 50
LONGEST_NAME = 80
#: A write for each request would be many.
_USED_EVERY = timedelta(minutes=1)
_PREFIX_BYTES = 6
_SECRET_BYTES = 32
_SHAPE = re.compile(rf"{MARK}_([0-9a-f]{{{2 * _PREFIX_BYTES}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})")


class TokenError(Exception):
    """A sentence for the person; `code` for programs, and in `param` what was wrong."""

    code = "token_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class TooManyTokens(TokenError):
    code = "limit_reached"


@dataclass(frozen=True, slots=True)
class NewToken:
    """`text` is what the program sends. It is known now and never again, hence kept out of the repr."""

    token: ApiToken
    text: str = field(repr=False)


def tokens_for_user(user: Any) -> QuerySet[ApiToken]:
    """The tokens that `user` may see: their own that are not revoked."""
    if not user.is_authenticated or not user.is_active:
        return ApiToken.objects.none()
    return ApiToken.objects.filter(owner=user, revoked_at=None)


def token_for_user(user: Any, token_id: uuid.UUID) -> ApiToken:
    """The token; ApiToken.DoesNotExist for a stranger as for an id that was never given out."""
    return tokens_for_user(user).get(pk=token_id)


def scopes_for(user: User) -> frozenset[Scope]:
    """All that a token of the person can have; see `two_factor.is_missing` for administrators who have no `admin`."""
    may_administer = user.is_superuser and not two_factor.is_missing(user)
    return frozenset(scope for scope in SCOPES if scope != "admin" or may_administer)


def scopes_of(token: ApiToken) -> frozenset[Scope]:
    """What the token may now: who is an administrator no longer has none that are for administrators."""
    return scopes_for(token.owner) & frozenset(token.scopes)


def create_token(
    *,
    owner: User,
    name: str,
    expires_at: datetime | None = None,
    scopes: Collection[str] = DEFAULT_SCOPES,
    within: Collection[Scope] = SCOPES,
) -> NewToken:
    """The person has one more token. TokenError for a name, a date or scopes that do not do, and above MAX_TOKENS.

    `within` are the scopes of what makes it: no token makes one that may more than itself.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise TokenError(f"Give the token a name of at most {LONGEST_NAME} characters: what will use it.", "name")
    if expires_at is not None and expires_at <= timezone.now():
        raise TokenError("A token has to expire in the future: choose a later time, or none.", "expires_at")
    chosen = [scope for scope in SCOPES if scope in scopes]
    if not chosen or len(chosen) < len(set(scopes)):
        raise TokenError(f"Choose what the token may: one or more of {', '.join(SCOPES)}.", "scopes")
    if "admin" in chosen and not owner.is_superuser:
        raise TokenError("Only an administrator's token can have the scope admin.", "scopes")
    if "admin" in chosen and two_factor.is_missing(owner):
        raise TokenError(f"{two_factor.NEEDED} Then make the token.", "scopes")
    if not set(chosen) <= set(within):
        raise TokenError("A token can only make tokens that may no more than itself.", "scopes")
    if usable(ApiToken.objects.filter(owner=owner)).count() >= MAX_TOKENS:
        raise TooManyTokens(f"You have {MAX_TOKENS} tokens, which is the most: revoke one that is no longer used.")
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
    """The token; None for an unknown, expired or revoked one, or where its owner was deactivated."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    prefix, secret = shape.groups()
    token = usable(ApiToken.objects.filter(prefix=prefix)).select_related("owner").first()
    # Also computed where there is none, so that the time of the answer tells nothing.
    matches = constant_time_compare(_digest(prefix, secret), token.digest if token else "")
    if token is None or not matches:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - _USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def token_of_header(authorization: str) -> ApiToken | None:
    """The token that the header `Authorization: Bearer TOKEN` holds, None for anything else."""
    scheme, _, text = authorization.strip().partition(" ")
    return find_token(text.strip()) if scheme.lower() == "bearer" else None


def user_of_token(text: str) -> User | None:
    """Whose token it is, whatever it may."""
    token = find_token(text)
    return token.owner if token else None


def usable(tokens: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    """Those of the tokens that open something now."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return tokens.filter(unexpired, revoked_at=None, owner__is_active=True)


def _digest(prefix: str, secret: str) -> str:
    """Keyed with SECRET_KEY, of which the database knows nothing. The secret is random: one round is enough."""
    return salted_hmac(f"botfactory.accounts.tokens.{prefix}", secret, algorithm="sha256").hexdigest()
