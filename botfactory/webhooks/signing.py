"""Secrets of webhooks, and signatures according to Standard Webhooks (standardwebhooks.com).

API tokens are stored as digests, but to sign a message the secret itself is needed. It is derived from SECRET_KEY and
a random salt in the row. Someone who reads the database or a backup, but not SECRET_KEY, can't sign anything. There is
no second key to keep, and no ciphertext that could be altered. A new SECRET_KEY changes all secrets, and their owners
don't know the new ones. `is_known` detects that, and such a webhook signs nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import timedelta
from typing import Any, Final

from django.utils.crypto import constant_time_compare, salted_hmac

from botfactory.webhooks.models import Webhook
from botfactory.webhooks.signature import secret_from, signature

_SALT_BYTES: Final = 32
#: How long messages are also signed with a former secret, and with how many, so that the header stays short.
OVERLAP: Final = timedelta(hours=24)
_MAX_FORMER: Final = 8


def give_secret(webhook: Webhook) -> str:
    """Give the webhook a new secret and return it, to be shown once. The caller saves the webhook.

    For OVERLAP after each renewal, messages are also signed with the secret it replaced, if that is known: someone who
    renews twice in a row may not have installed any of the new ones yet.
    """
    had_one = bool(webhook.salt) and is_known(webhook)
    former = [[webhook.salt, time.time() + OVERLAP.total_seconds()], *_former(webhook)] if had_one else []
    webhook.former_salts = former[:_MAX_FORMER]
    webhook.salt = secrets.token_hex(_SALT_BYTES)
    secret = secret_of(webhook)
    webhook.secret_check = _check(secret)
    return secret


def secret_of(webhook: Webhook) -> str:
    """Return the secret that the receiver verifies with: `whsec_` and 32 bytes in base64."""
    return _derived(webhook, webhook.salt)


def is_known(webhook: Webhook) -> bool:
    """Return whether the secret is still the one that was shown. It isn't after SECRET_KEY has changed."""
    return constant_time_compare(_check(secret_of(webhook)), webhook.secret_check)


def signatures(webhook: Webhook, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each secret, newest first."""
    salts = [webhook.salt, *(salt for salt, _ in _former(webhook))]
    return " ".join(signature(_derived(webhook, salt), message_id, timestamp, body) for salt in salts)


def _former(webhook: Webhook) -> list[list[Any]]:
    return [[salt, until] for salt, until in webhook.former_salts if until > time.time()]


def _derived(webhook: Webhook, salt: str) -> str:
    return secret_from(salted_hmac(f"botfactory.webhooks.{webhook.pk}", salt, algorithm="sha256").digest())


def _check(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]
