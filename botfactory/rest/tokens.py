"""`/tokens`: list, make and revoke API tokens. The text of a token is shown once."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import AwareDatetime, Field

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken
from botfactory.accounts.tokens import LONGEST_NAME, Scope
from botfactory.rest import idempotency
from botfactory.rest.access import access_of, person, require_confirmed
from botfactory.rest.errors import not_found
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import VISIBLE, Input, Output, Page, Text, examples

router = Router(tags=["tokens"])

_EXAMPLE = {
    "id": "7c1c9c0e-6d0c-4e58-9b43-5d8f0a2d8d55",
    "name": "The script on my laptop",
    "prefix": "bf_3f9c1a7b20de",
    "scopes": ["read", "write"],
    "created_at": "2026-11-25T12:00:00.000Z",
    "last_used_at": None,
    "expires_at": "2027-02-23T12:00:00.000Z",
}


class TokenIn(Input):
    name: Text = Field(min_length=1, max_length=LONGEST_NAME, description="What it's for.", json_schema_extra=VISIBLE)
    scopes: list[Scope] = Field(
        default=["read", "write"],
        min_length=1,
        description="What it may do: read, write (change things), admin (for administrators only).",
    )
    expires_at: AwareDatetime | None = Field(
        None, description="When it stops working. Null: never, or with the token that makes it."
    )

    model_config = examples(
        {"name": "The script on my laptop", "scopes": ["read", "write"], "expires_at": "2027-02-23T12:00:00Z"},
        base=Input.model_config,
    )


class TokenOut(Output):
    id: uuid.UUID
    name: str
    prefix: str = Field(description="The beginning of the token, so that you can tell yours apart.")
    scopes: list[Scope]
    created_at: datetime
    last_used_at: datetime | None = Field(description="Accurate to the minute.")
    expires_at: datetime | None

    model_config = examples(_EXAMPLE)


class NewTokenOut(TokenOut):
    token: str = Field(description="What the program sends. It's shown only once.")

    model_config = examples({**_EXAMPLE, "token": f"bf_3f9c1a7b20de_{'0' * 64}"})


def told(token: ApiToken) -> TokenOut:
    return TokenOut(
        id=token.pk,
        name=token.name,
        prefix=f"{tokens.MARK}_{token.prefix}",
        scopes=[scope for scope in tokens.SCOPES if scope in token.scopes],
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=token.expires_at,
    )


@router.get("", response=Page[TokenOut], summary="List your tokens")
def list_tokens(request: HttpRequest, query: Query[PageQuery]) -> PageDict:
    """Your tokens that aren't revoked, newest first. Their text isn't stored, so it isn't included."""
    return page_of(tokens.tokens_for_user(person(request)), query, lambda rows: map(told, rows))


@router.post("", response={201: NewTokenOut}, summary="Make a token")
@idempotency.secret
def create_token(request: HttpRequest, body: TokenIn) -> Status[NewTokenOut]:
    """Make a token. Only this answer contains its text.

    A token can't make one with more scopes or a later expiry than its own. Without `expires_at`, both expire together.
    """
    access = access_of(request)
    require_confirmed(request)
    new = tokens.create_token(
        owner=access.user,
        name=body.name,
        scopes=body.scopes,
        expires_at=body.expires_at,
        by=access.token,
    )
    return Status(201, NewTokenOut(**told(new.token).model_dump(), token=new.text))


@router.get("/{uuid:token_id}", response=TokenOut, summary="Get a token")
def get_token(request: HttpRequest, token_id: uuid.UUID) -> TokenOut:
    """Get one of your tokens that isn't revoked."""
    return told(_token(request, token_id))


@router.delete("/{uuid:token_id}", response={204: None}, summary="Revoke a token")
def revoke_token(request: HttpRequest, token_id: uuid.UUID) -> Status[None]:
    """Revoke the token. Programs that use it lose access immediately."""
    tokens.revoke_token(_token(request, token_id))
    return Status(204, None)


def _token(request: HttpRequest, token_id: uuid.UUID) -> ApiToken:
    try:
        return tokens.token_for_user(person(request), token_id)
    except ApiToken.DoesNotExist:
        raise not_found("token") from None
