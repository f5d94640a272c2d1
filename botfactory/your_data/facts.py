"""What an account's ZIP says about the person. It contains no password, no token and no other secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled

from botfactory.accounts import limits, notifications, tokens
from botfactory.accounts.models import Meter, User
from botfactory.files.chunks import chunks_of, line_of
from botfactory.jobs.models import Job
from botfactory.webhooks import services as webhooks


def account(user: User) -> dict[str, Any]:
    """Return the facts of the account itself."""
    addresses = EmailAddress.objects.filter(user=user).order_by("-primary", "pk")
    meters = Meter.objects.filter(user=user).order_by("name", "period")
    return {
        "username": user.get_username(),
        "email": user.email,
        "addresses": [
            {"email": address.email, "main": address.primary, "confirmed": address.verified} for address in addresses
        ],
        "joined_at": user.date_joined.isoformat(),
        "last_sign_in_at": user.last_login.isoformat() if user.last_login else None,
        "is_administrator": user.is_superuser,
        "two_factor": is_mfa_enabled(user),
        "limits": limits.limits_of(user).as_dict(),
        "usage": limits.usage_of(user).as_dict(),
        "used": [{"what": meter.name, "period": meter.period, "amount": meter.amount} for meter in meters],
    }


def settings(user: User) -> dict[str, Any]:
    """Return what the person has set up. Of a webhook's address only the server, as the rest is often a secret."""
    chosen = notifications.notifications_of(user)
    return {
        "mail": {"training_succeeded": chosen.training_succeeded, "training_failed": chosen.training_failed},
        "tokens": [
            {
                "name": token.name,
                "scopes": token.scopes,
                "created_at": token.created_at.isoformat(),
                "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
                "expires_at": token.expires_at.isoformat() if token.expires_at else None,
            }
            for token in tokens.tokens_for_user(user)
        ],
        "webhooks": [
            {
                "server": urlsplit(webhook.url).hostname or "",
                "events": webhook.events,
                "active": webhook.active,
                "created_at": webhook.created_at.isoformat(),
            }
            for webhook in webhooks.webhooks_for_user(user)
        ],
    }


def jobs(user: User) -> Iterator[bytes]:
    """Yield a line for each of the person's jobs: what it was, and how it ended."""
    for rows in chunks_of(Job.objects.filter(owner=user)):
        yield "".join(line_of(_job(row)) for row in rows).encode()


def _job(row: Job) -> dict[str, Any]:
    moments = {
        name: moment.isoformat() if (moment := getattr(row, name)) else None
        for name in ("created_at", "started_at", "finished_at")
    }
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "title": row.title,
        "state": row.state,
        "about": str(row.subject_id) if row.subject_id else None,
        "error_code": row.error_code,
        "error": row.error_message,
        **moments,
    }
