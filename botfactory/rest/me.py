"""`/me`: the account, its limits and its usage."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from botfactory.accounts import limits, tokens
from botfactory.accounts.limits import Limits, Usage
from botfactory.accounts.tokens import Scope
from botfactory.rest.access import access_of
from botfactory.rest.schemas import Output, examples

router = Router(tags=["me"])


class AccessOut(Output):
    """How this request was authenticated."""

    by: Literal["token", "session"]
    token: uuid.UUID | None = Field(description="The id of the token; null for a session.")
    scopes: list[Scope]


class MeOut(Output):
    id: int
    username: str
    email: str
    is_administrator: bool
    joined_at: datetime
    access: AccessOut
    limits: Limits
    usage: Usage

    model_config = examples(
        {
            "id": 1,
            "username": "alice",
            "email": "alice@example.org",
            "is_administrator": False,
            "joined_at": "2026-11-25T12:00:00.000Z",
            "access": {"by": "token", "token": "7c1c9c0e-6d0c-4e58-9b43-5d8f0a2d8d55", "scopes": ["read", "write"]},
            "limits": {
                "queued_jobs": 50,
                "running_jobs": 4,
                "training_minutes_a_day": 1440,
                "corpora": 200,
                "models": 200,
                "stored_mb": 20000,
                "x_posts_a_month": 10000,
                "requests_a_minute": 300,
                "webhooks": 20,
            },
            "usage": {
                "queued_jobs": 1,
                "running_jobs": 1,
                "training_minutes_a_day": 12,
                "corpora": 3,
                "models": 2,
                "stored_mb": 24,
                "x_posts_a_month": 0,
                "webhooks": 1,
            },
        }
    )


@router.get("", response=MeOut, summary="Your account, limits and usage")
def get_me(request: HttpRequest) -> MeOut:
    """Your account, how this request was authenticated, your limits and your usage."""
    access = access_of(request)
    user = access.user
    return MeOut(
        id=user.pk,
        username=user.get_username(),
        email=user.email,
        is_administrator=user.is_superuser,
        joined_at=user.date_joined,
        access=AccessOut(
            by="token" if access.token else "session",
            token=access.token.pk if access.token else None,
            scopes=[scope for scope in tokens.SCOPES if scope in access.scopes],
        ),
        limits=limits.limits_of(user),
        usage=limits.usage_of(user),
    )
